# SPDX-License-Identifier: GPL-3.0-or-later
"""Label images: making one from a map of ids, and reading what was painted on it."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from ..contract.labels import LabelSet
from ..style.reference import rgb_of
from .colors import ReadLabels, colorized, read_labels

LABEL_IMAGE = "spade_label_image"
"""Custom property of the images made here: the name of their label set."""


def make_label_image(
    name: str, label_map: np.ndarray, label_set: LabelSet, into: bpy.types.Image | None = None
) -> bpy.types.Image:
    """An image of (H, W) ids in the colours of their classes, packed; an older label image `into` is written over.

    A name that is taken gets a number.
    """
    rgb = colorized(label_map, label_set)
    height, width, _ = rgb.shape
    image = into
    if image is None or shape_of(image) != (height, width):
        image = bpy.data.images.new(name, width, height, alpha=False)
        if into is not None:  # a packed image keeps its size
            _take_place(image, into)
    image.colorspace_settings.is_data = False  # the screen shows the colours as the swatches are
    pixels = np.ones((height, width, 4), np.float32)
    np.divide(rgb[::-1], 255, out=pixels[..., :3], dtype=np.float32)  # Blender counts rows from the bottom
    flat: Any = pixels.ravel()  # a sequence to Blender, though not to its type stubs
    image.pixels.foreach_set(flat)
    image.update()
    image.pack()
    image[LABEL_IMAGE] = label_set.name
    image.use_fake_user = True  # nothing but an editor may use it, and saving would drop it
    return image


def _take_place(image: bpy.types.Image, former: bpy.types.Image) -> None:
    """Put an image wherever a former one is used, under its name."""
    name = former.name
    former.user_remap(image)
    bpy.data.images.remove(former)
    image.name = name


def shape_of(image: bpy.types.Image) -> tuple[int, int]:
    """Height and width of an image, in pixels."""
    size: Any = image.size
    return size[1], size[0]


def is_label_image(image: bpy.types.Image | None) -> bool:
    """Whether it was made here."""
    return image is not None and LABEL_IMAGE in image


def labels_on(image: bpy.types.Image, label_set: LabelSet) -> ReadLabels:
    """The labels painted on an image, of any size. Raises BadImageError and BadLabelError."""
    return read_labels(rgb_of(image), label_set)
