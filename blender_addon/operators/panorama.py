# SPDX-License-Identifier: GPL-3.0-or-later
"""A sun for a panorama, and a tile on what is selected."""

from __future__ import annotations

import bpy

from ..contract.errors import BadOptionError
from ..place.panorama_world import add_sun
from ..properties import settings
from .reports_errors import ReportsErrors


class SPADE_OT_add_sun(ReportsErrors, bpy.types.Operator):
    """Put a sun lamp where the panorama's sky is brightest"""

    bl_idname = "spade.add_sun"
    bl_label = "Add Sun"
    bl_options = {"REGISTER", "UNDO"}

    def run(self, context) -> None:
        add_sun(context.scene)


class SPADE_OT_use_tile(ReportsErrors, bpy.types.Operator):
    """Give the selected objects the tile as their material"""

    bl_idname = "spade.use_tile"
    bl_label = "Use on Selected"
    bl_options = {"REGISTER", "UNDO"}

    def run(self, context) -> None:
        material = settings(context.scene).tile_material
        if material is None:
            raise BadOptionError("There is no tile yet.", "Place As Tile, and generate.")
        chosen = [each for each in context.selected_objects if hasattr(each.data, "materials")]
        if not chosen:
            raise BadOptionError("Nothing that takes a material is selected.", "Select objects first.")
        for thing in chosen:
            if thing.material_slots:
                thing.material_slots[thing.active_material_index or 0].material = material
            else:
                thing.data.materials.append(material)


CLASSES = (SPADE_OT_add_sun, SPADE_OT_use_tile)
