# SPDX-License-Identifier: GPL-3.0-or-later
"""A Blender image as the picture of a style."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from ..contract.errors import BadImageError


def rgb_of(image: bpy.types.Image) -> np.ndarray:
    """An image's pixels as finished sRGB: (H, W, 3) uint8, row 0 at the top.

    Float images hold light: it is encoded as a screen wants it, and cut off where it is brighter than white. Raises
    BadImageError where there are no pixels.
    """
    size: Any = image.size  # sequences to Blender, though not to its type stubs
    values: Any = image.pixels
    (width, height), channels, count = size, image.channels, len(values)
    if not count or count != width * height * channels:
        raise BadImageError(
            f"The picture '{image.name}' has no pixels that can be read.",
            "Find its file again, save a render as a file first, or choose another picture.",
        )
    pixels = np.empty(count, np.float32)
    values.foreach_get(pixels)
    rgb = pixels.reshape(height, width, channels)[::-1, :, : 3 if channels >= 3 else 1]
    rgb = np.nan_to_num(np.broadcast_to(rgb, (height, width, 3)), nan=0.0, posinf=1.0, neginf=0.0).clip(0, 1)
    if image.is_float and not image.colorspace_settings.is_data:
        rgb = np.where(rgb <= 0.0031308, rgb * 12.92, 1.055 * rgb ** (1 / 2.4) - 0.055)
    return np.rint(rgb * 255).astype(np.uint8)
