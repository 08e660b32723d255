# SPDX-License-Identifier: GPL-3.0-or-later
"""A panorama's sun, the panorama on the blocks, and a tile on what is selected."""

from __future__ import annotations

import bpy

from ..contract.errors import BadOptionError
from ..place.panorama_world import add_sun, panorama_of
from ..place.projection.projections import remove_projections
from ..place.projection.sights import lay_panorama_on_blocks
from ..place.show import show
from ..properties import settings
from ..scene.view import camera_of
from .reports_errors import ReportsErrors


class SPADE_OT_add_sun(ReportsErrors, bpy.types.Operator):
    """Put a sun lamp where the panorama's sky is brightest"""

    bl_idname = "spade.add_sun"
    bl_label = "Add Sun"
    bl_options = {"REGISTER", "UNDO"}

    def run(self, context) -> None:
        add_sun(context.scene)


class SPADE_OT_panorama_on_blocks(ReportsErrors, bpy.types.Operator):
    """Lay panoramas on the labelled things around their camera, too, so that cameras can leave its place"""

    bl_idname = "spade.panorama_on_blocks"
    bl_label = "On the Blocks"
    bl_options = {"REGISTER", "UNDO"}

    on: bpy.props.BoolProperty(
        name="On the Blocks", description="Lay panoramas there; off, take them off again", default=True
    )

    def run(self, context) -> None:
        scene = context.scene
        picture = panorama_of(scene)
        if picture is None:
            raise BadOptionError("The scene has no panorama.", "Place As Panorama, and generate.")
        if self.on:
            lay_panorama_on_blocks(scene, picture, camera_of(scene))
        else:
            remove_projections(scene)
        settings(scene).panorama_on_blocks = self.on
        show(scene, settings(scene).show)


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


CLASSES = (SPADE_OT_add_sun, SPADE_OT_panorama_on_blocks, SPADE_OT_use_tile)
