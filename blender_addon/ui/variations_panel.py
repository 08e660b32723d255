# SPDX-License-Identifier: GPL-3.0-or-later
"""Variations: how many to paint, and the small pictures to pick from."""

from __future__ import annotations

import bpy

from ..bridge.variations import Variations
from ..history.thumbnails import icon_of_pixels
from ..operators.variations import GRIDS
from ..place.picture import scene_of
from ..session import current_session
from .layout import Layout, layout_of
from .panel import CATEGORY

# Of an icon's own size, in a sidebar of ordinary width and in the large view.
_SCALES = {2: 6.0, 3: 4.0}
_LARGE = {2: 18.0, 3: 12.0}


class SPADE_PT_variations(bpy.types.Panel):
    """Several pictures of the same labels, to pick one."""

    bl_label = "Variations"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = CATEGORY
    bl_parent_id = "SPADE_PT_backdrop"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context) -> None:
        layout = layout_of(self)
        row = layout.row(align=True)
        for grid, text, _ in GRIDS:
            row.operator("spade.vary", text=text, icon="IMGDISPLAY").grid = grid
        varied = current_session().variations
        if varied is None or scene_of(varied.request) != context.scene:
            return
        tools = row.row(align=True)
        tools.operator("spade.show_variations", text="", icon="FULLSCREEN_ENTER")
        tools.operator("spade.close_variations", text="", icon="X")
        draw_grid(layout, context, varied, _SCALES)


def draw_grid(
    layout: Layout, context: bpy.types.Context, varied: Variations, scales: dict[int, float]
) -> None:
    """The pictures in the order of their seeds, each over the button that picks it; places for those to come."""
    side = round(len(varied.seeds) ** 0.5)
    grid = layout.grid_flow(row_major=True, columns=side, even_columns=True, even_rows=True, align=True)
    for seed in varied.seeds:
        cell = grid.column(align=True)
        picture = varied.pictures.get(seed)
        icon = icon_of_pixels(str(seed), picture) if picture is not None else 0
        cell.template_icon(icon_value=icon, scale=scales[side])
        button = cell.row(align=True)
        button.enabled = picture is not None
        is_placed = context.scene.spade.seed == seed
        button.operator("spade.pick_variation", text=f"Seed {seed}", depress=is_placed).seed = seed


class SPADE_OT_show_variations(bpy.types.Operator):
    """Look at the variations in a larger window, and pick there"""

    bl_idname = "spade.show_variations"
    bl_label = "Show Variations Large"

    def invoke(self, context, event):
        return context.window_manager.invoke_popup(self, width=900)

    def execute(self, context):
        """Scripts have nothing to look at."""
        return {"FINISHED"}

    def draw(self, context) -> None:
        varied = current_session().variations
        if varied is not None:
            draw_grid(layout_of(self), context, varied, _LARGE)


CLASSES = (SPADE_PT_variations, SPADE_OT_show_variations)
