# SPDX-License-Identifier: GPL-3.0-or-later
"""A Blender image as the picture of a style."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import bpy
import numpy as np

from ..contract.errors import BadImageError

_BAND = 32
"""Rows at a time: what lies between Blender's numbers and bytes stays in the processor's cache."""
_BYTES = np.rint(np.arange(65536) / 257).astype(np.uint8)
"""The byte for each of 65536 numbers that are finished already."""


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
    rows = pixels.reshape(height, width, channels)[::-1, :, : 3 if channels >= 3 else 1]
    shown = _bytes_of_light() if image.is_float and not image.colorspace_settings.is_data else _BYTES
    rgb = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, _BAND):
        band = np.nan_to_num(rows[top : top + _BAND], nan=0.0, posinf=1.0, neginf=0.0).clip(0, 1)
        rgb[top : top + _BAND] = shown[np.rint(band * np.float32(65535)).astype(np.uint16)]
    return rgb


@lru_cache(maxsize=1)
def _bytes_of_light() -> np.ndarray:
    """Which byte sRGB has for each of 65536 linear lights: a power for each pixel would take seconds."""
    light = np.arange(65536) / 65535
    encoded = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.rint(encoded * 255).astype(np.uint8)
