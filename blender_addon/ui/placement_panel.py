# SPDX-License-Identifier: GPL-3.0-or-later
"""Where pictures are shown: on a backdrop, as the camera's background, and so on."""

from __future__ import annotations

import bpy

from ..background.running import running_work
from ..place.camera_background import background_of
from ..place.layers.kept import cards_in
from ..place.panorama_world import panorama_of
from ..place.placement import placed_picture
from ..place.projection.materials import is_baked
from ..place.projection.projections import projection_of
from ..place.tile_material import tile_of
from ..properties import PLACEMENTS, settings
from ..scene.projected import is_painted
from ..session import current_session
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
            draw_export(layout, "spade.export_tile", tile_of(scene) is not None)
        around = panorama_of(scene)
        if around is not None:
            row = layout.row(align=True)
            row.operator("spade.add_sun", icon="LIGHT_SUN")
            on = spade.panorama_on_blocks
            row.operator("spade.panorama_on_blocks", icon="MESH_CUBE", depress=on).on = not on
            draw_export(layout, "spade.export_panorama")
        camera = scene.camera
        if camera is None or not isinstance(camera.data, bpy.types.Camera):
            return
        if (background := background_of(camera)) is not None:
            layout.use_property_split = True
            layout.use_property_decorate = False
            layout.prop(background, "alpha", text="Opacity", slider=True)
            layout.row().prop(background, "display_depth", expand=True)
        picture = placed_picture(scene, camera)
        has_cards = picture is None or cards_in(picture) or current_session().layers is not None
        if spade.placement == "LAYERS" and not has_cards:
            layout.label(text="Generate paints what stands behind.", icon="INFO")
        if spade.is_on_blocks:
            bare = layout.row()
            bare.prop(spade, "bare", expand=True)
            projections = layout.column(align=True)
            if spade.placement == "PROJECTION":
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
    """Bake, or how far it is; and what is made of that."""
    has_baked = any(is_baked(thing) for thing in context.selected_objects)
    row = layout.row(align=True)
    draw_work(row, "spade.bake", icon="RENDER_STILL")
    back = row.row(align=True)
    back.enabled = has_baked
    back.operator("spade.remove_baked", text="", icon="LOOP_BACK")
    draw_export(layout, "spade.export_baked", has_baked)


def draw_export(layout: Layout, operator: str, can_be: bool = True) -> None:
    """The button that exports for engines, or how far that is; by its own name, for there may be two."""
    row = layout.row(align=True)
    row.enabled = can_be
    draw_work(row, operator, icon="EXPORT")


def draw_work(row: Layout, operator: str, icon: str) -> None:
    """A button, or in its place how far the work in the background is that it began; grey while there is another."""
    work = running_work()
    if work is not None and work.begun_by == operator:
        row.progress(factor=work.fraction, text=work.doing)
        return
    button = row.row(align=True)
    button.enabled = work is None
    button.operator(operator, icon=icon)


CLASSES = (SPADE_PT_placement,)
