# SPDX-License-Identifier: GPL-3.0-or-later
"""The Image Editor's sidebar: what to paint labels with, and Generate from them."""

from __future__ import annotations

import bpy

from ..contract.errors import SpadeError
from ..contract.labels import LabelSet
from ..label_image.brushes import BRUSHES, chosen_color
from ..label_image.colors import TOLERANCE, paint_colors
from ..label_image.editor import CATEGORY
from ..label_image.image import is_label_image
from ..operators.label_image import TOOLS
from ..operators.swatches import icon_of
from ..properties import settings
from ..scene.label_rules import scene_label_set
from ..session import current_session
from .layout import Layout, layout_of
from .message import draw_message
from .panel import draw_progress, draw_seed


class SPADE_PT_label_image(bpy.types.Panel):
    """Paint labels, and a picture from them."""

    bl_label = "Paint Labels"
    bl_space_type = "IMAGE_EDITOR"
    bl_region_type = "UI"
    bl_category = CATEGORY

    def draw(self, context) -> None:
        layout, scene = layout_of(self), context.scene
        image = getattr(context.space_data, "image", None)
        job = current_session().board.live_in(scene.session_uid)
        row = layout.row(align=True)
        row.scale_y = 1.6
        if job is not None:
            draw_progress(row, job)
        else:
            row.enabled = image is not None
            row.operator("spade.generate_painted", icon="IMAGE_BACKGROUND")
        draw_message(layout, context, _next_step(image))
        begin = layout.row(align=True)
        over = begin.operator("spade.paint_labels", text="From Scene", icon="SCENE_DATA")
        over.image = image.name if image is not None and is_label_image(image) else ""
        begin.operator("spade.new_label_image", text="Empty", icon="FILE_NEW")
        try:
            label_set = scene_label_set(scene)
        except SpadeError:
            return  # The 3D view's panel says why.
        _draw_tools(layout, context)
        _draw_classes(layout, context, label_set)
        seed = layout.column()
        seed.use_property_split = True
        seed.use_property_decorate = False
        draw_seed(seed, settings(scene), "seed")


def _next_step(image: bpy.types.Image | None) -> str:
    if not is_label_image(image):
        return "Take the labels of the scene to paint on, or begin with an empty map."
    return "Choose a class and paint. Generate makes a picture of it, as large as this map."


def _draw_tools(layout: Layout, context: bpy.types.Context) -> None:
    brush = context.tool_settings.image_paint.brush
    row = layout.row(align=True)
    row.operator("spade.pick_label", text="", icon="EYEDROPPER").kind = "PAINT"
    for tool, text, _, icon, _ in TOOLS:
        taken = brush is not None and brush.name == BRUSHES[tool]
        row.operator("spade.label_tool", text=text, icon=icon, depress=taken).tool = tool
    size = layout.row()
    size.use_property_split = True
    size.use_property_decorate = False
    if brush is None:
        size.label(text="")
        return
    shared = getattr(context.tool_settings, "unified_paint_settings", None)
    shared = getattr(context.tool_settings.image_paint, "unified_paint_settings", shared)
    size.prop(shared if shared.use_unified_size else brush, "size", slider=True)


def _draw_classes(layout: Layout, context: bpy.types.Context, label_set: LabelSet) -> None:
    """Each class with its colour; the one that is painted with is pressed."""
    colors, chosen = paint_colors(label_set), chosen_color(context)
    grid = layout.grid_flow(row_major=True, columns=2, even_columns=True, align=True)
    for entry in label_set.classes:
        apart = max(abs(a - b) for a, b in zip(colors[entry.id], chosen, strict=True))
        button = grid.operator(
            "spade.paint_class", text=entry.name, icon_value=icon_of(entry), depress=apart <= TOLERANCE
        )
        button.class_name = entry.name


CLASSES = (SPADE_PT_label_image,)
