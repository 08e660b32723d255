# SPDX-License-Identifier: Apache-2.0
"""YOLO segmentation: a text file a photo, a line an object, `class x y x y ...` in shares of width and height."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from ....contract.errors import BadImageError, UnavailableError
from ..areas import Area, largest_first, polygons, scaled
from ..base import ClassList, Export, Format, Record, Size, refused_record
from ..photos import PHOTO_ENDINGS, Photos, files_below
from ..splits import split_in

LOOKED_AT = 20_000
"""Files by which it is recognised."""

NAME_FILES = ("data.yaml", "dataset.yaml", "data.yml", "classes.txt", "obj.names")


def recognises(root: Path) -> bool:
    if not root.is_dir():
        return False
    first = next(_label_files(root, islice(files_below(root), LOOKED_AT)), None)
    return first is not None and (_names_file(root) is not None or _is_label_text(first))


def read(root: Path, elsewhere: Path | None) -> Export:
    """Raises BadImageError without text files or names, and UnavailableError without a YAML reader."""
    names = _class_names(root)
    classes = ClassList()
    places = {number: classes.place(name, id=number) for number, name in names.items()}
    photos, records, boxes, drawn = Photos(root, elsewhere), [], 0, 0
    for file in _label_files(root, files_below(root)):
        name = file.relative_to(root).with_suffix("")
        shown = "/".join(part for part in name.parts if part != "labels")
        # images/ and labels/ are twins: the photo lies at the same place in the other.
        photo = photos.find("/".join("images" if part == "labels" else part for part in name.parts))
        try:
            objects, without = _objects(file, places)
        except ValueError as problem:
            error = BadImageError(f"{file}: {problem}.", "Export it again, as YOLO segmentation.")
            records.append(refused_record(shown, error))
            continue
        boxes, drawn = boxes + without, drawn + len(objects)
        records.append(_record(shown, photo, objects, split_in(file.relative_to(root)), file))
    if boxes and not drawn:
        raise BadImageError(f"{root} holds boxes only.", "Export it as YOLO segmentation.")
    notes = [f"{boxes} lines are mere boxes and cover no area."] if boxes else []
    return Export(classes.classes, records, notes)


def _label_files(root: Path, files: Iterable[Path]) -> Iterator[Path]:
    """Text files in folders called labels, or beside the photos."""
    for file in files:
        if file.suffix.lower() == ".txt" and file.name not in NAME_FILES:
            inner = file.relative_to(root)
            beside = any(file.with_suffix(ending).exists() for ending in PHOTO_ENDINGS[:4])
            if "labels" in inner.parts[:-1] or beside:
                yield file


def _is_label_text(file: Path) -> bool:
    try:
        lines = file.read_text(encoding="utf-8").split("\n", 1)
        values = [float(word) for word in lines[0].split()]
    except (OSError, ValueError):
        return False
    return len(values) >= 5 and values[0] == int(values[0]) and all(0 <= value <= 1 for value in values[1:])


def _objects(file: Path, places: dict[int, int]) -> tuple[list[tuple[int, np.ndarray]], int]:
    """Class and (n, 2) corners in shares of each object, and how many lines are boxes. Raises ValueError."""
    found, boxes = [], 0
    for number, line in enumerate(file.read_text(encoding="utf-8-sig").splitlines(), 1):
        words = line.split()
        if not words:
            continue
        try:
            class_number, corners = int(words[0]), np.array([float(word) for word in words[1:]])
        except ValueError:
            raise ValueError(f"line {number} is not made of numbers") from None
        if class_number not in places:
            raise ValueError(f"line {number} has the class {class_number}, which has no name")
        if corners.size < 6:
            boxes += 1
            continue
        if corners.size % 2 or not np.isfinite(corners).all() or np.abs(corners).max() > 2:
            raise ValueError(f"line {number} is not made of pairs between 0 and 1")
        found.append((places[class_number], corners.reshape(-1, 2)))
    return found, boxes


def _record(
    name: str, photo: Path | None, objects: list[tuple[int, np.ndarray]], split: str, file: Path
) -> Record:
    def class_map(size: Size) -> np.ndarray:
        return largest_first(
            [Area(place, polygons([scaled(corners.tolist(), *size)])) for place, corners in objects], size
        )

    return Record(name, photo, class_map, split, file)


def _names_file(root: Path) -> Path | None:
    places = (folder / name for name in NAME_FILES for folder in (root, root / "labels"))
    return next((place for place in places if place.is_file()), None)


def _class_names(root: Path) -> dict[int, str]:
    """Raises BadImageError without a file of names."""
    file = _names_file(root)
    if file is None:
        raise BadImageError(
            f"Nothing in {root} says what its classes are called.",
            "Put data.yaml beside images/ and labels/ (names: [sky, tree]), or classes.txt with a name a line.",
        )
    text = file.read_text(encoding="utf-8-sig")
    if file.suffix in (".txt", ".names"):
        return dict(enumerate(line.strip() for line in text.splitlines() if line.strip()))
    try:
        import yaml
    except ImportError:
        raise UnavailableError(
            f"Reading {file.name} needs PyYAML, which is not installed.",
            "Run pip install 'spade-backdrops[data]'.",
        ) from None
    try:
        names = yaml.safe_load(text)["names"]
        pairs = names.items() if isinstance(names, dict) else enumerate(names)
        found = {int(number): str(name) for number, name in pairs}
        if not found or not all(name.strip() for name in found.values()):
            raise ValueError
        return found
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError):
        raise BadImageError(f"{file} has no list 'names'.", "Give it the line names: [sky, tree].") from None


FORMAT = Format("yolo", "YOLO segmentation", recognises, read)
