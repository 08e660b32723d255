# SPDX-License-Identifier: Apache-2.0
"""Masks of 0 and 255 alone, black and white: one thing and what is around it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from ....contract.errors import BadImageError, SpadeError
from ..base import Export, ExportClass, Format
from ..folders import TwinFolders, mask_files, read_twins, twin_folders
from ..masks import ids_of
from .hugging_face import MASKS, PHOTOS, is_own

BLACK, WHITE = 0, 255
CLASSES = (ExportClass("background", "#404040", 0), ExportClass("object", "#F0C040", 1))
"""Both are classes here: a picture is painted everywhere."""


def recognises(root: Path) -> bool:
    return not is_own(root) and is_black_and_white(islice(_masks(root), 12))


def is_black_and_white(files: Iterator[Path]) -> bool:
    """Whether masks hold nothing but 0 and 255, and both of them somewhere."""
    used: set[int] = set()
    for file in files:
        try:
            used.update(np.unique(ids_of(file)).tolist())
        except SpadeError:
            return False
    return used == {BLACK, WHITE}


def read(root: Path, elsewhere: Path | None) -> Export:
    """Raises BadImageError without photos and masks in two folders."""
    twins = _twins(root)
    if not twins:
        raise BadImageError(
            f"There are no photos and masks in two folders of {root}.", "Call them images/ and masks/."
        )
    found = read_twins(root, twins, {BLACK: "background", WHITE: "object"}, elsewhere)
    return Export(CLASSES, found.records, found.notes)


def _twins(root: Path) -> list[TwinFolders]:
    return twin_folders(root, (*PHOTOS, "img_dir"), (*MASKS, "ann_dir"))


def _masks(root: Path) -> Iterator[Path]:
    return (file for twin in _twins(root) for file in mask_files(twin))


FORMAT = Format("black-and-white", "masks of 0 and 255", recognises, read)
