# SPDX-License-Identifier: GPL-3.0-or-later
"""Small pictures of results, as the previews of their images: Blender saves them, and its own lists show them, too."""

from __future__ import annotations

import bpy
import bpy.utils.previews
import numpy as np

from ..style.thumbnails import draw

_SIDE = 160
"""Pixels of a thumbnail's longer side."""

_icons: bpy.utils.previews.ImagePreviewCollection | None = None


def set_thumbnail(picture: bpy.types.Image, rgb: np.ndarray) -> None:
    """Give a picture a preview of its pixels, (H, W, 3) uint8."""
    draw(picture.preview_ensure(), shrunk(rgb))


def icon_of(picture: bpy.types.Image) -> int:
    """The icon id of a picture's thumbnail; 0 where Blender has yet to make one, or draws nothing."""
    if bpy.app.background:
        return 0
    preview = picture.preview_ensure()
    return preview.icon_id if preview else 0


def icon_of_pixels(key: str, rgb: np.ndarray) -> int:
    """The icon id of a picture that is not in the file, by a key of its own; 0 in a Blender that draws nothing."""
    global _icons
    if bpy.app.background:
        return 0
    if _icons is None:
        _icons = bpy.utils.previews.new()
    if key not in _icons:
        draw(_icons.new(key), shrunk(rgb, 2 * _SIDE))
    return _icons[key].icon_id


def shrunk(rgb: np.ndarray, side: int = _SIDE) -> np.ndarray:
    """A picture (H, W, 3) uint8 with the longer side at most `side`, each pixel the mean of four that lie apart."""
    step = -(-max(rgb.shape[:2]) // (2 * side))
    near = rgb[::step, ::step]
    height, width = near.shape[0] // 2, near.shape[1] // 2
    if step == 1 and max(rgb.shape[:2]) <= side or not (height and width):
        return near[:side, :side]
    fours = near[: 2 * height, : 2 * width].reshape(height, 2, width, 2, 3)
    return (fours.sum(axis=(1, 3), dtype=np.uint16) // 4).astype(np.uint8)


def forget() -> None:
    """Give the icons back to Blender."""
    global _icons
    if _icons is not None:
        bpy.utils.previews.remove(_icons)
        _icons = None
