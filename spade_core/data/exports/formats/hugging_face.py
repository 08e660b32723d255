# SPDX-License-Identifier: Apache-2.0
"""Folders as Hugging Face data sets have them: image/ and annotation/, perhaps inside splits, with id2label.json."""

from __future__ import annotations

from pathlib import Path

from ....contract.errors import BadImageError
from ..base import Export, Format
from ..folders import mask_files, read_twins, twin_folders

PHOTOS = ("image", "images", "photo", "photos")
MASKS = ("annotation", "annotations", "mask", "masks", "label", "labels", "segmentation")


def recognises(root: Path) -> bool:
    twins = twin_folders(root, PHOTOS, MASKS)
    if not any(True for twin in twins for _ in mask_files(twin)):
        return False
    if all(_is_read_as_it_is(root, twin.photos, twin.masks) for twin in twins):
        return (root / "id2label.json").is_file() and not is_own(root)
    return True


def is_own(root: Path) -> bool:
    """Whether it is a data set of this program: what its ids mean stands beside it."""
    return (root / "label_set.toml").is_file()


def read(root: Path, elsewhere: Path | None) -> Export:
    """Raises BadImageError without such folders."""
    twins = twin_folders(root, PHOTOS, MASKS)
    if not twins:
        raise BadImageError(f"There are no folders image/ and annotation/ in {root}.", "Check the path.")
    return read_twins(root, twins, None, elsewhere)


def _is_read_as_it_is(root: Path, photos: Path, masks: Path) -> bool:
    """Whether training finds these folders without a conversion."""
    if photos.relative_to(root).parts == ("images",):
        return masks.name == "labels"
    return photos.parent == root / "images" and masks.parent.name in ("labels", "masks", "annotations")


FORMAT = Format("hugging-face", "image and annotation folders (Hugging Face)", recognises, read, general=True)
