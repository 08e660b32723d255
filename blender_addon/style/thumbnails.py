# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of a model's named styles, as icons for lists and for the large preview."""

from __future__ import annotations

from typing import Any

import bpy
import bpy.utils.previews
import numpy as np

from ..contract.messages import ModelInfo
from ..session import current_session

ICON_SIDE = 32

_icons: bpy.utils.previews.ImagePreviewCollection | None = None


def icon_of(model: ModelInfo, number: int) -> int:
    """The icon id of a model's style; 0 (no icon) where there is no picture of it, or nothing to draw on."""
    global _icons
    rgb = current_session().thumbnails(model.digest)
    if rgb is None or number >= len(rgb) or bpy.app.background:
        return 0
    if _icons is None:
        _icons = bpy.utils.previews.new()
    key = f"{model.digest}/{number}"
    if key not in _icons:
        draw(_icons.new(key), rgb[number])
    return _icons[key].icon_id


def draw(preview: Any, rgb: np.ndarray) -> None:
    """Fill a preview, large and small, with a picture (H, W, 3) uint8."""
    height, width = rgb.shape[:2]
    side = np.arange(ICON_SIDE)
    small = rgb[(side * height // ICON_SIDE)[:, None], side * width // ICON_SIDE]
    preview.image_size, preview.image_pixels = (width, height), _packed(rgb)
    preview.icon_size, preview.icon_pixels = (ICON_SIDE, ICON_SIDE), _packed(small)


def forget() -> None:
    """Give the icons back to Blender."""
    global _icons
    if _icons is not None:
        bpy.utils.previews.remove(_icons)
        _icons = None


def _packed(rgb: np.ndarray) -> list[int]:
    """RGBA in one signed number a pixel, the bottom row first."""
    rgba = np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)])[::-1]
    return np.ascontiguousarray(rgba).view("<i4").ravel().tolist()
