# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a projector saw, as an image of 32-bit floats that shaders read texel by texel."""

from __future__ import annotations

import hashlib
from typing import Any

import bpy
import numpy as np

from ...scene.exr_writing import exr
from ..image import DIGEST, pack_file

_LOW_BITS = np.uint32(2**10)
FARTHEST = 1e6
"""Metres: what is past everything is as far as this."""


def depth_image(depth: np.ndarray, name: str) -> bpy.types.Image:
    """A packed image of (H, W) float32 metres, row 0 at the top; the file has each once."""
    depth = _rounded_up(np.minimum(depth, FARTHEST))  # before: what was read out of such an image is the same
    digest = hashlib.sha256(f"{depth.shape}".encode() + np.ascontiguousarray(depth).tobytes()).hexdigest()
    known = next((image for image in bpy.data.images if image.get(DIGEST) == digest), None)
    if known is not None:
        return known
    image = pack_file(exr(depth), name)
    read_exactly(image)
    image[DIGEST] = digest
    return image


def depth_in_image(image: bpy.types.Image) -> np.ndarray:
    """The (H, W) metres of such an image, row 0 at the top."""
    size: Any = image.size
    width, height = size
    pixels = np.empty(height * width * image.channels, np.float32)
    flat: Any = pixels
    image.pixels.foreach_get(flat)
    return np.ascontiguousarray(pixels.reshape(height, width, -1)[::-1, :, 0])


def _rounded_up(depth: np.ndarray) -> np.ndarray:
    """Farther by a ten thousandth at the most: what the low bits say is noise, and takes most of the file."""
    bits = depth.astype(np.float32).view(np.uint32)
    return ((bits + (_LOW_BITS - 1)) & ~np.uint32(_LOW_BITS - 1)).view(np.float32)


def read_exactly(image: bpy.types.Image) -> None:
    """Let renderers have every bit: EEVEE takes half floats otherwise, which hides most of a projector's own view."""
    if image.use_half_precision:
        image.use_half_precision = False
    if not image.colorspace_settings.is_data:
        image.colorspace_settings.is_data = True
