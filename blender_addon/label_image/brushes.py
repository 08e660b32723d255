# SPDX-License-Identifier: GPL-3.0-or-later
"""What labels are painted with: a palette of the classes, and three brushes that leave no colour between two others."""

from __future__ import annotations

from typing import Any

import bpy
from mathutils import Color

from ..contract.labels import LabelSet
from .colors import Rgb, paint_colors

BRUSHES = {"BRUSH": "Label Brush", "FILL": "Label Fill", "LINE": "Label Line"}
"""The brushes by what they do."""
_SIZE = 60


def class_palette(label_set: LabelSet) -> bpy.types.Palette:
    """The palette of a label set: its classes in their order."""
    name = f"Labels {label_set.name}"
    palette = bpy.data.palettes.get(name) or bpy.data.palettes.new(name)
    palette.use_fake_user = True
    palette.colors.clear()
    colors = paint_colors(label_set)
    for entry in label_set.classes:
        _set_color(palette.colors.new(), "color", colors[entry.id])
    return palette


def label_brush(tool: str) -> bpy.types.Brush:
    """The brush for a tool of BRUSHES, as hard as Blender has it, whatever was changed on it."""
    name = BRUSHES[tool]
    found = (brush for brush in bpy.data.brushes if brush.name == name and brush.library is None)
    brush: Any = next(found, None)
    if brush is None:
        brush = bpy.data.brushes.new(name, mode="TEXTURE_PAINT")
        brush.size = _SIZE
    kind = "image_brush_type" if hasattr(brush, "image_brush_type") else "image_tool"
    setattr(brush, kind, "FILL" if tool == "FILL" else "DRAW")
    brush.stroke_method = "LINE" if tool == "LINE" else "SPACE"
    falloff = "curve_distance_falloff_preset" if hasattr(brush, "curve_distance_falloff_preset") else None
    setattr(brush, falloff or "curve_preset", "CONSTANT")
    brush.blend, brush.strength, brush.fill_threshold, brush.spacing = "MIX", 1.0, 0.0, 5
    brush.use_paint_antialiasing = brush.use_pressure_strength = brush.use_space_attenuation = False
    if brush.asset_data is None:
        brush.asset_mark()  # Blender makes no brush active that is no asset
    return brush


def choose_color(context: bpy.types.Context, rgb: Rgb) -> None:
    """Paint with this colour, whichever brush is taken."""
    paint = context.tool_settings.image_paint
    shared = _shared_settings(context)
    shared.use_unified_color, shared.use_unified_strength = True, False
    _set_color(shared, "color", rgb)
    for tool in BRUSHES:
        _set_color(label_brush(tool), "color", rgb)
    paint.dither = 0


def chosen_color(context: bpy.types.Context) -> Rgb:
    """The colour that is painted with."""
    shared = _shared_settings(context)
    brush = context.tool_settings.image_paint.brush
    owner = shared if shared.use_unified_color or brush is None else brush
    color = Color(owner.color)
    if _is_linear(owner):
        color = color.from_scene_linear_to_srgb()
    red, green, blue = (round(255 * part) for part in color)
    return red, green, blue


def take_brush(tool: str) -> None:
    """Make a tool's brush the active one; needs an Image Editor in paint mode as the context."""
    brush = label_brush(tool)
    if bpy.app.background:
        return  # there is no tool to hold it
    bpy.ops.wm.tool_set_by_id(name="builtin.brush", space_type="IMAGE_EDITOR")
    bpy.ops.brush.asset_activate(asset_library_type="LOCAL", relative_asset_identifier=f"Brush/{brush.name}")


def _shared_settings(context: bpy.types.Context) -> Any:
    """What all brushes share; Blender 5 keeps it for each kind of painting."""
    tools: Any = context.tool_settings
    paint: Any = tools.image_paint
    return getattr(paint, "unified_paint_settings", None) or tools.unified_paint_settings


def _set_color(owner: Any, name: str, rgb: Rgb) -> None:
    color = Color([part / 255 for part in rgb])
    setattr(owner, name, color.from_srgb_to_scene_linear() if _is_linear(owner) else color)


def _is_linear(owner: Any) -> bool:
    """Whether the colours of brushes and palettes are light, as from Blender 5 on."""
    return owner.bl_rna.properties["color"].subtype == "COLOR"
