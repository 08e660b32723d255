# SPDX-License-Identifier: GPL-3.0-or-later
"""Where pictures are shown: on a backdrop, as the camera's background, and so on, and what there is not yet."""

from __future__ import annotations

import bpy

from ..place.camera_background import background_of
from ..place.panorama_world import panorama_of
from ..place.placement import placed_picture
from ..properties import NOT_YET, PLACEMENTS, settings
from .layout import layout_of
from .panel import CATEGORY


class SPADE_PT_placement(bpy.types.Panel):
    """How the picture is shown."""

    bl_label = "Place As"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = CATEGORY
    bl_parent_id = "SPADE_PT_backdrop"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context) -> None:
        layout, scene = layout_of(self), context.scene
        choices = layout.grid_flow(row_major=True, columns=3, even_columns=True, align=True)
        for placement, text, *_ in PLACEMENTS:
            button = choices.row(align=True)
            button.enabled = placement not in NOT_YET
            is_chosen = settings(scene).placement == placement
            button.operator("spade.place_as", text=text, depress=is_chosen).placement = placement
        spade = settings(scene)
        if spade.placement == "TILE":
            layout.prop(spade, "tile_class")
            layout.prop(spade, "tile_width")
            layout.operator("spade.use_tile", icon="MATERIAL")
        around = panorama_of(scene)
        if around is not None:
            layout.operator("spade.add_sun", icon="LIGHT_SUN")
        camera = scene.camera
        if camera is None or not isinstance(camera.data, bpy.types.Camera):
            return
        if (background := background_of(camera)) is not None:
            layout.use_property_split = True
            layout.use_property_decorate = False
            layout.prop(background, "alpha", text="Opacity", slider=True)
            layout.row().prop(background, "display_depth", expand=True)
        away = layout.row()
        away.enabled = placed_picture(scene, camera) is not None or around is not None
        away.operator("spade.take_away", icon="X")


CLASSES = (SPADE_PT_placement,)
