# SPDX-License-Identifier: Apache-2.0
"""Photos and masks of ids in one folder, told apart by what their names end in: a_image.jpg and a_label.png."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import numpy as np

from ....contract.errors import BadImageError, SpadeError
from ..base import ClassList, Export, Format, Record
from ..folders import MASK_ENDINGS, names_or_numbers
from ..masks import by_id, ids_of
from ..photos import PHOTO_ENDINGS, files_below
from ..splits import split_in

MASK_NAME = re.compile(
    r"^(.+?)[ ._-](?:label|labels|mask|masks|seg|segmentation|annotation|gt|labelids|labelmap)$",
    re.IGNORECASE,
)
PHOTO_NAME = re.compile(r"^(.+?)[ ._-](?:image|img|photo|rgb|color|leftimg8bit)$", re.IGNORECASE)
LOOKED_AT = 2000
"""Files by which it is recognised."""


def recognises(root: Path) -> bool:
    if not root.is_dir() or (root / "images").is_dir():
        return False
    pairs = _pairs(list(islice(files_below(root), LOOKED_AT)))
    return any(photo for photo, _ in pairs.values()) and all(
        _is_of_ids(mask) for _, mask in islice(pairs.values(), 3)
    )


def read(root: Path, elsewhere: Path | None) -> Export:
    """Raises BadImageError where there is no such mask."""
    pairs = _pairs(list(files_below(root)))
    if not pairs:
        raise BadImageError(
            f"There are no masks with names like photo_mask.png in {root}.",
            "Put masks into a folder of their own.",
        )
    names, notes = names_or_numbers(root, (mask for _, mask in pairs.values()))
    classes, others = ClassList(), {} if elsewhere is None else _photos(files_below(elsewhere))
    by_name = {name.name: photo for name, photo in others.items()}
    places = {id: classes.place(name, id=id) for id, name in names.items()}
    records = [
        Record(
            name.relative_to(root).as_posix(),
            photo or by_name.get(name.name),
            by_id(mask, places),
            split_in(mask.relative_to(root)),
            mask,
        )
        for name, (photo, mask) in pairs.items()
    ]
    return Export(classes.classes, records, notes)


def _pairs(files: list[Path]) -> dict[Path, tuple[Path | None, Path]]:
    """Photo and mask by the path that they have in common; masks without a photo are among them."""
    masks = {
        file.with_name(found[1]): file
        for file in files
        if file.suffix.lower() in MASK_ENDINGS and (found := MASK_NAME.match(file.stem))
    }
    taken = set(masks.values())
    photos = _photos(file for file in files if file not in taken)
    return {name: (photos.get(name), mask) for name, mask in masks.items()}


def _photos(files: Iterable[Path]) -> dict[Path, Path]:
    """By their paths without what says that they are photos."""
    found = {}
    for file in files:
        if file.suffix.lower() in PHOTO_ENDINGS:
            name = PHOTO_NAME.match(file.stem)
            found[file.with_name(name[1] if name else file.stem)] = file
    return found


def _is_of_ids(mask: Path) -> bool:
    """One channel, of few ids."""
    try:
        return len(np.unique(ids_of(mask))) <= 256
    except SpadeError:
        return False


FORMAT = Format("one-folder", "photos and masks in one folder", recognises, read, general=True)
