# SPDX-License-Identifier: Apache-2.0
"""CVAT's segmentation masks, and Pascal VOC's: labelmap.txt, SegmentationClass/ in colours, JPEGImages/."""

from __future__ import annotations

from pathlib import Path

from ....contract.errors import BadImageError
from ..base import ClassList, Export, Format, Record
from ..masks import by_color
from ..photos import PHOTO_ENDINGS, Photos, files_below
from ..splits import NAMES

COLORS, MASKS = "labelmap.txt", "SegmentationClass"


def recognises(root: Path) -> bool:
    return (root / COLORS).is_file() and (root / MASKS).is_dir()


def read(root: Path, elsewhere: Path | None) -> Export:
    """Raises BadImageError where labelmap.txt is none, or there are no masks."""
    classes = ClassList()
    places = _colors(root / COLORS, classes)
    photos = Photos(root / "JPEGImages", elsewhere)
    splits = _splits(root / "ImageSets" / "Segmentation")
    records = []
    for file in files_below(root / MASKS):
        if file.suffix.lower() in PHOTO_ENDINGS:
            name = file.relative_to(root / MASKS).with_suffix("").as_posix()
            split = splits.get(name, "")
            records.append(Record(name, photos.find(name), by_color(file, places), split, file))
    if not records:
        raise BadImageError(f"There are no pictures in {root / MASKS}.", "Export the masks again.")
    return Export(classes.classes, records)


def _colors(file: Path, classes: ClassList) -> dict[int, int]:
    """Lines `name:red,green,blue:parts:actions`, and comments. Raises BadImageError."""
    places: dict[int, int] = {}
    try:
        for line in file.read_text(encoding="utf-8-sig").splitlines():
            if line.strip() and not line.lstrip().startswith("#"):
                name, color = line.rsplit(":", 3)[:2] if line.count(":") >= 3 else line.rsplit(":", 1)
                red, green, blue = (int(part) for part in color.split(","))
                if not all(0 <= part <= 255 for part in (red, green, blue)):
                    raise ValueError
                code = red << 16 | green << 8 | blue
                places[code] = classes.place(name, f"#{code:06X}")
    except (OSError, ValueError):
        raise BadImageError(
            f"{file} is no list of classes and colours.", "Give it lines like 'sky:112,160,224::'."
        ) from None
    return places


def _splits(folder: Path) -> dict[str, str]:
    """By name, of the lists train.txt, val.txt and test.txt; the list default.txt says nothing."""
    found = {}
    for file in sorted(folder.glob("*.txt")):
        split = NAMES.get(file.stem.lower())
        if split:
            found |= dict.fromkeys(file.read_text(encoding="utf-8-sig").split("\n"), split)
    return found


FORMAT = Format("cvat", "CVAT's segmentation masks (labelmap.txt)", recognises, read)
