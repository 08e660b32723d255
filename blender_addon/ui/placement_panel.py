# SPDX-License-Identifier: GPL-3.0-or-later
"""Where pictures are shown: on a backdrop, as the camera's background, and so on."""

from __future__ import annotations

import bpy

from ..bake.running import running_bake
from ..place.camera_background import background_of
from ..place.layers.kept import cards_in
from ..place.panorama_world import panorama_of
from ..place.placement import placed_picture
from ..place.projection.materials import is_baked
from ..place.projection.projections import projection_of
from ..properties import PLACEMENTS, settings
from ..scene.projected import is_painted
from .layout import Layout, layout_of
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
            is_chosen = settings(scene).placement == placement
            choices.operator("spade.place_as", text=text, depress=is_chosen).placement = placement
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
        picture = placed_picture(scene, camera)
        if spade.placement == "LAYERS" and picture is not None and not cards_in(picture):
            layout.label(text="Generate paints what stands behind.", icon="INFO")
        if settings(scene).placement == "PROJECTION":
            bare = layout.row()
            bare.prop(settings(scene), "bare", expand=True)
            projections = layout.column(align=True)
            projections.operator("spade.project_from_view", icon="VIEW_CAMERA")
            hidden = projections.row(align=True)
            hidden.enabled = projection_of(scene, camera) is not None
            hidden.operator("spade.fill_hidden", icon="MOD_BOOLEAN")
            draw_bake(projections, context)
            back = projections.row(align=True)
            back.enabled = any(is_painted(material) for material in bpy.data.materials)
            back.operator("spade.remove_projections", icon="LOOP_BACK")
        away = layout.row()
        away.enabled = picture is not None or around is not None
        away.operator("spade.take_away", icon="X")


def draw_bake(layout: Layout, context: bpy.types.Context) -> None:
    """Bake, or how far it is."""
    row = layout.row(align=True)
    if (baker := running_bake()) is not None:
        row.progress(factor=baker.fraction, text=f"Baking {len(baker.baked)} of {len(baker.plan.things)}")
        return
    row.operator("spade.bake", icon="RENDER_STILL")
    back = row.row(align=True)
    back.enabled = any(is_baked(thing) for thing in context.selected_objects)
    back.operator("spade.remove_baked", text="", icon="LOOP_BACK")


CLASSES = (SPADE_PT_placement,)
