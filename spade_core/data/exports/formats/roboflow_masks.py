# SPDX-License-Identifier: Apache-2.0
"""Roboflow's semantic masks: train/NAME.jpg with train/NAME_mask.png and train/_classes.csv.

Its other exports are COCO JSON and YOLO.
"""

from __future__ import annotations

import csv
from pathlib import Path

from ....contract.errors import BadImageError
from ..base import ClassList, Export, Format, Record
from ..masks import by_id
from ..photos import PHOTO_ENDINGS, Photos, files_below
from ..splits import split_in

NAMES, ENDING = "_classes.csv", "_mask"


def recognises(root: Path) -> bool:
    return root.is_dir() and any(_lists(root))


def _lists(root: Path) -> list[Path]:
    return sorted([*root.glob(NAMES), *root.glob(f"*/{NAMES}")])


def read(root: Path, elsewhere: Path | None) -> Export:
    """Raises BadImageError where a list of classes is none, or there are no masks."""
    classes, records = ClassList(), []
    for names in _lists(root):
        places, folder = _places(names, classes), names.parent
        photos = Photos(folder, elsewhere)
        for file in files_below(folder):
            if file.stem.endswith(ENDING) and file.suffix.lower() in PHOTO_ENDINGS:
                name = file.with_name(file.stem.removesuffix(ENDING)).relative_to(root).as_posix()
                photo, split = photos.find(f"{Path(name).name}.jpg"), split_in(file.relative_to(root))
                records.append(Record(name, photo, by_id(file, places), split, file))
    if not records:
        raise BadImageError(f"There are no pictures NAME{ENDING}.png in {root}.", "Export the masks again.")
    return Export(classes.classes, records)


def _places(file: Path, classes: ClassList) -> dict[int, int]:
    """Rows of id and class, whatever the columns are called. Raises BadImageError."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as table:
            rows = list(csv.reader(table, skipinitialspace=True))[1:]
        return {int(row[0]): classes.place(row[1], id=int(row[0])) for row in rows if row}
    except (OSError, ValueError, IndexError, csv.Error):
        raise BadImageError(f"{file} is no list of ids and classes.", "Export it again.") from None


FORMAT = Format("roboflow-masks", "Roboflow's semantic masks", recognises, read)
