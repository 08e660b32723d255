# SPDX-License-Identifier: Apache-2.0
"""A photo and its label map on disk, read so that training never goes on with wrong ids."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps

from ..contract.errors import BadImageError, SpadeError
from ..contract.labels import LabelSet
from ..image_files import ID_MODES, LARGEST_PHOTO, ids_in, instances_in, open_picture, rgb_in

ORIENTATION = ExifTags.Base.Orientation
UNLABELLED = 255
"""What 8-bit label images of every known set hold where there is no class."""


@dataclass(frozen=True)
class Pair:
    """One photo, its label map and, where there is one, its instance map, by file."""

    name: str
    image: Path
    labels: Path
    instances: Path | None = None


def read_pair(pair: Pair, label_set: LabelSet, short_side: int = 0) -> tuple[Image.Image, Image.Image]:
    """The photo (RGB) and its label map (mode L, or I;16 for sets beyond 255; ids checked), of equal size.

    With short_side, a JPEG at least twice as large is decoded at a half, a quarter or an eighth, never below that
    many pixels: the photo is then smaller than its label map, of the same shape to within a pixel.
    Raises BadImageError, BadLabelError, BadShapeError or TooLargeError, naming the file.
    """
    label_map = read_labels(pair.labels, label_set)
    photo, full_size = _read_photo(pair.image, short_side, (label_map.shape[1], label_map.shape[0]))
    if full_size != (label_map.shape[1], label_map.shape[0]):
        raise sizes_differ(pair, full_size, (label_map.shape[1], label_map.shape[0]))
    return photo, Image.fromarray(label_map)


def sizes_differ(pair: Pair, photo: tuple[int, int], labels: tuple[int, int]) -> BadImageError:
    """The error for a photo and a label map of different (width, height)."""
    turned = photo == labels[::-1] and photo[0] != photo[1]
    return BadImageError(
        f"{pair.labels} is {labels[0]} x {labels[1]} pixels, its photo {photo[0]} x {photo[1]}.",
        "The photo is stored on its side and turned by a note in the file: save it upright."
        if turned
        else "Give the label map the photo's size (without smoothing).",
    )


def instances_differ(pair: Pair, instances: tuple[int, int], photo: tuple[int, int]) -> BadImageError:
    """The error for an instance map of another (width, height) than its photo."""
    return BadImageError(
        f"{pair.instances} is {instances[0]} x {instances[1]} pixels, its photo {photo[0]} x {photo[1]}.",
        "Give the instance map the photo's size (without smoothing).",
    )


def read_labels(path: Path, label_set: LabelSet) -> np.ndarray:
    """The ids of a label image, (H, W) of the set's dtype, every one of them known to the set.

    One channel, a palette, or exactly the set's colours, as `image_files.ids_in` takes them. 255 becomes the set's
    ignore id where neither of the two is a class. Raises BadImageError, BadLabelError, BadShapeError or
    TooLargeError, naming the file.
    """
    try:
        picture = open_picture(path, LARGEST_PHOTO)
        classes = {entry.id for entry in label_set.classes}
        if (
            label_set.ignore_id != UNLABELLED
            and not {UNLABELLED, label_set.ignore_id} & classes
            and picture.mode in ID_MODES
        ):
            ids = np.asarray(picture)
            return label_set.check(np.where(ids == UNLABELLED, label_set.ignore_id, ids))
        return ids_in(picture, label_set)
    except SpadeError as problem:
        raise _naming(path, problem) from None


def read_photo(path: Path, labels: tuple[int, int]) -> np.ndarray:
    """A photo as (H, W, 3) uint8, upright, unless only as it is stored it has the (width, height) of its label map.

    Raises BadImageError or TooLargeError, naming the file.
    """
    return np.asarray(_read_photo(path, 0, labels)[0])


def read_instances(path: Path) -> np.ndarray:
    """An instance map, (H, W) int32, as `image_files.instances_in`.

    Raises BadImageError or TooLargeError, naming the file.
    """
    try:
        return instances_in(open_picture(path, LARGEST_PHOTO))
    except SpadeError as problem:
        raise _naming(path, problem) from None


def _read_photo(path: Path, short_side: int, labels: tuple[int, int]) -> tuple[Image.Image, tuple[int, int]]:
    """The photo, perhaps reduced, and its size (width, height) before that.

    One that a camera has stored on its side is turned upright, unless only as it is stored it has the size of `labels`.
    """
    try:
        picture = open_picture(path, LARGEST_PHOTO, at_least=short_side)
    except SpadeError as problem:
        raise _naming(path, problem) from None
    full_size = picture.info.get("full_size", picture.size)
    if is_turned(picture):
        upright = full_size[::-1] if picture.getexif()[ORIENTATION] > 4 else full_size
        if upright == labels or full_size != labels:
            return Image.fromarray(rgb_in(ImageOps.exif_transpose(picture))), upright
    return Image.fromarray(rgb_in(picture)), full_size


def is_turned(picture: Image.Image) -> bool:
    """Whether a note in the file says that it is to be shown turned or mirrored."""
    try:
        return picture.getexif().get(ORIENTATION) in range(2, 9)
    except Exception:  # a broken note, of which Pillow raises what it likes
        return False


def _naming(path: Path, problem: SpadeError) -> SpadeError:
    """The same error, with the whole path in its sentence: among thousands of files the name alone is not enough."""
    return type(problem)(f"{path}: {problem.message}", problem.fix)
