# SPDX-License-Identifier: GPL-3.0-or-later
"""Two pictures in one, to wipe between: left of the border is the first, right of it the second.

It is an image like others, so every editor of every Blender shows it, and scripts read it. Editors of images show it in
the colours that were painted, whatever the scene's view.
"""

from __future__ import annotations

import bpy
import numpy as np

from ..place.image import pack_file, tag_image
from ..scene.png import png
from ..style.reference import rgb_of

NAME = "Spade Comparison"
PAIR = "spade_compared"
"""Custom property of the image: the names of both pictures, each on its line."""
_BORDER = np.array([255, 255, 255], np.uint8)
_LARGEST = 2048
"""Pixels of the longer side: the border follows the mouse."""

_pixels: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = {}  # of the last pair, by their session uids


def compare(first: bpy.types.Image, second: bpy.types.Image, share: float) -> bpy.types.Image:
    """Show `share`, 0..1, of the first from the left, and the rest of the second; in the first one's size.

    Raises BadImageError where one has no pixels.
    """
    key = first.session_uid, second.session_uid
    if key not in _pixels:
        left, right = _in_size(rgb_of(first), None), rgb_of(second)
        _pixels.clear()
        _pixels[key] = left, _in_size(right, left.shape)
    left, right = _pixels[key]
    column = round(share * left.shape[1])
    both = np.concatenate([left[:, :column], right[:, column:]], axis=1)
    if 0 < column < left.shape[1]:
        both[:, column] = _BORDER
    file = png(both, level=1)
    image = bpy.data.images.get(NAME)
    if image is None:
        image = pack_file(file, NAME)
    else:
        image.pack(data=file, data_len=len(file))  # pyright: ignore[reportArgumentType]
        image.buffers_free()  # the bytes are read again when somebody looks
        image.gl_free()
    tag_image(image)
    image[PAIR] = f"{first.name}\n{second.name}"
    return image


def compared(image: bpy.types.Image | None) -> list[bpy.types.Image]:
    """The two pictures that an image compares; none where it is another image, or one of them has gone."""
    names = image.get(PAIR, "").split("\n") if image is not None else []
    pair = [bpy.data.images[name] for name in names if name in bpy.data.images]
    return pair if len(pair) == 2 else []


def forget() -> None:
    """Let go of the pixels."""
    _pixels.clear()


def _in_size(rgb: np.ndarray, shape: tuple[int, ...] | None) -> np.ndarray:
    """A picture in (height, width, ...), or at most _LARGEST pixels long, by its nearest pixels."""
    height, width = rgb.shape[:2]
    shrink = max(1.0, max(height, width) / _LARGEST)
    to_height, to_width = shape[:2] if shape else (round(height / shrink), round(width / shrink))
    rows, columns = np.arange(to_height) * height // to_height, np.arange(to_width) * width // to_width
    return rgb[rows[:, None], columns]
