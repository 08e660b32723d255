# SPDX-License-Identifier: GPL-3.0-or-later
"""What pictures were made of: label maps, instance maps and pictures of styles, as packed images that are stored once.

So is how far a picture's camera saw, where it was to be projected.

Their names begin with a dot, so Blender lists them nowhere. They are in the file as long as a picture points at them.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import bpy
import numpy as np

from ..bridge.repaint import Repaint
from ..contract.errors import BadImageError
from ..contract.labels import LabelSet, parse_label_set
from ..place.image import DIGEST, pack_file, pack_pixels
from ..place.layers.kept import LAYER_PARTS
from ..place.projection.sights import DEPTH
from ..scene.png import ids_in, png
from ..style.class_styles import FACTS_ACROSS, PLACES
from ..style.reference import rgb_of

LABEL_SET = "spade_label_set"
"""Custom property of a part, a label map: the TOML text of its label set."""

LABEL_MAP, INSTANCE_MAP, STYLE_IMAGE, SECOND_STYLE_IMAGE = (
    "spade_label_map",
    "spade_instance_map",
    "spade_style_image",
    "spade_second_style_image",
)
PARTS = (LABEL_MAP, INSTANCE_MAP, STYLE_IMAGE, SECOND_STYLE_IMAGE, DEPTH, *LAYER_PARTS)
"""Custom properties of a picture, each points at a part."""
PLACED_PARTS = tuple(f"spade_{prefix}_image" for prefix in (*PLACES, FACTS_ACROSS))
"""The same of the pictures of styles that are for a part."""
REGION_PARTS = REGION_SHARE, REGION_BASE = "spade_region_share", "spade_region_base"
"""The same of a picture of which a part was painted again: where it is new, and what it was."""


def label_map_part(label_map: np.ndarray, label_set: LabelSet) -> bpy.types.Image:
    """The part that holds a label map, (H, W) ids of a label set; made unless the file has it.

    It is a PNG file of the ids, with the classes' colours as its palette: people see colours, and it loses nothing.
    """
    ids = label_set.check(label_map)
    digest = _digest(ids, label_set.digest)
    part = _part_with(digest)
    if part is None:
        palette = None
        if ids.dtype == np.uint8:
            palette = np.zeros((256, 3), np.uint8)
            for entry in label_set.classes:
                palette[entry.id] = entry.rgb
        part = pack_file(png(ids, palette), f".Labels {digest[:8]}")
        part[DIGEST], part[LABEL_SET] = digest, label_set.to_toml()
    return part


def label_map_in(picture: bpy.types.Image) -> tuple[np.ndarray, LabelSet]:
    """The label map that a picture was painted from, and its label set.

    Raises BadImageError where it has none: earlier versions kept none.
    """
    part = picture.get(LABEL_MAP)
    if part is None or part.packed_file is None:
        raise BadImageError(
            f"'{picture.name}' has no label map: it was painted by an earlier version.",
            "Generate from the scene; pictures that are painted now keep theirs.",
        )
    return ids_in(bytes(part.packed_file.data)), parse_label_set(part[LABEL_SET])


def instance_map_part(instance_map: np.ndarray) -> bpy.types.Image:
    """The part that holds an instance map, (H, W) uint16; made unless the file has it."""
    digest = _digest(instance_map)
    part = _part_with(digest)
    if part is None:
        part = pack_file(png(instance_map), f".Objects {digest[:8]}")
        part[DIGEST] = digest
    return part


def repaint_in(picture: bpy.types.Image, base_name: str) -> Repaint | None:
    """What a part of was painted again, if it was. Raises BadImageError where it is not in the file any more."""
    share, base = picture.get(REGION_SHARE), picture.get(REGION_BASE)
    if not base_name:
        return None
    if share is None or base is None or share.packed_file is None:
        raise BadImageError(f"What '{picture.name}' was painted over is not in the file.", "Generate anew.")
    return Repaint(rgb_of(base), ids_in(bytes(share.packed_file.data)).astype(np.uint8), base_name)


def instance_map_in(picture: bpy.types.Image) -> np.ndarray | None:
    """The instance map that a picture was painted from, if any. Raises BadImageError where it cannot be read."""
    part = picture.get(INSTANCE_MAP)
    return None if part is None or part.packed_file is None else ids_in(bytes(part.packed_file.data))


def style_part(rgb: np.ndarray, name: str) -> bpy.types.Image:
    """The part that holds the picture of a style, (H, W, 3) uint8; made unless the file has it.

    name: of the image that it was read from: where that is unchanged its own file is taken, which is smaller.
    """
    digest = _digest(rgb)
    part = _part_with(digest)
    if part is None:
        part = _copy_of_file(bpy.data.images.get(name), rgb) or pack_pixels(rgb, name)
        part.name = f".Style {digest[:8]}"
        part.use_fake_user = False
        part[DIGEST] = digest
    return part


def parts_of(picture: bpy.types.Image) -> dict[str, bpy.types.Image]:
    """What a picture points at, by its custom properties."""
    return {
        name: picture[name]
        for name in (*PARTS, *PLACED_PARTS, *REGION_PARTS)
        if picture.get(name) is not None
    }


def remove_unused() -> None:
    """Remove the parts that no picture points at."""
    for part in [image for image in bpy.data.images if DIGEST in image and not image.users]:
        bpy.data.images.remove(part)


def _digest(pixels: np.ndarray, more: str = "") -> str:
    described = f"{pixels.shape} {pixels.dtype.name} {more}".encode()
    return hashlib.sha256(described + np.ascontiguousarray(pixels).tobytes()).hexdigest()


def _part_with(digest: str) -> bpy.types.Image | None:
    return next((image for image in bpy.data.images if image.get(DIGEST) == digest), None)


def _copy_of_file(image: bpy.types.Image | None, rgb: np.ndarray) -> bpy.types.Image | None:
    """A copy of an image with its file packed; None where that file does not hold these pixels (any more)."""
    if image is None or image.source != "FILE" or image.is_dirty:
        return None
    if (
        image.packed_file is None
        and not Path(bpy.path.abspath(image.filepath, library=image.library)).is_file()
    ):
        return None
    copy = image.copy()
    assert copy is not None
    for name in list(copy.keys()):  # it may be a result itself
        del copy[name]
    try:
        if copy.packed_file is None:
            copy.pack()
        if np.array_equal(rgb_of(copy), rgb):
            return copy
    except (RuntimeError, BadImageError):
        pass
    bpy.data.images.remove(copy)
    return None
