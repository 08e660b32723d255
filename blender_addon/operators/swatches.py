# SPDX-License-Identifier: GPL-3.0-or-later
"""Colour swatches: an icon for each class colour, made when needed, and the class lists that show them."""

from __future__ import annotations

from typing import Any

import bpy
import bpy.utils.previews

from ..contract.errors import SpadeError
from ..contract.labels import LabelClass
from ..scene.label_rules import scene_label_set

SIDE = 32
EDGE = 4

_icons: bpy.utils.previews.ImagePreviewCollection | None = None
# Blender keeps no reference to the texts of a dynamic list: the last one must stay alive here
_items: list[Any] = []


def icon_of(entry: LabelClass) -> int:
    """The icon id of a class's swatch; 0 (no icon) where there is nothing to draw on."""
    global _icons
    if bpy.app.background:
        return 0
    if _icons is None:
        _icons = bpy.utils.previews.new()
    if entry.color not in _icons:
        preview = _icons.new(entry.color)
        preview.icon_size = (SIDE, SIDE)
        preview.icon_pixels = _rounded_square(entry.rgb)
    return _icons[entry.color].icon_id


def class_items(operator: Any, context: Any) -> list[Any]:
    """The classes of the scene's label set as the items of a dynamic enum: identifier and name are the class
    name.
    """
    global _items
    try:
        classes = scene_label_set(context.scene).classes if context else ()
    except SpadeError:
        classes = ()
    _items = [
        (entry.name, entry.name, ", ".join(entry.aliases[:6]), icon_of(entry), entry.id) for entry in classes
    ]
    return _items


def _rounded_square(rgb: tuple[int, int, int]) -> list[int]:
    """SIDE * SIDE packed RGBA pixels: the colour with an empty edge, corners cut."""
    red, green, blue = rgb
    solid = red | green << 8 | blue << 16 | 0xFF << 24
    solid -= 1 << 32  # the property holds signed numbers
    near, far = EDGE, SIDE - 1 - EDGE

    def inside(x: int, y: int) -> bool:
        corner = x in (near, far) and y in (near, far)
        return near <= x <= far and near <= y <= far and not corner

    return [solid if inside(x, y) else 0 for y in range(SIDE) for x in range(SIDE)]


def forget() -> None:
    """Give the icons back to Blender."""
    global _icons
    if _icons is not None:
        bpy.utils.previews.remove(_icons)
        _icons = None
    _items.clear()
