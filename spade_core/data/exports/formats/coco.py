# SPDX-License-Identifier: Apache-2.0
"""COCO JSON: polygons and run lengths of objects, as COCO, Roboflow, CVAT, Label Studio and many others write it."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from pathlib import Path
from typing import Any

from ....contract.errors import BadImageError
from ..areas import Area, largest_first, polygons, run_lengths
from ..base import MALFORMED, ClassList, Export, Format, Record, Size, not_as_expected, peeked, read_json
from ..photos import Photos, files_below, some_below
from ..splits import split_in

PARTS = ("images", "annotations", "categories")


def recognises(root: Path) -> bool:
    files = [root] if root.is_file() and root.suffix.lower() == ".json" else some_below(root, ".json", 8)
    return any(_is_coco(file) for file in files)


def read(root: Path, elsewhere: Path | None) -> Export:
    """Every file of it below a folder, or one file. Raises BadImageError where there is none."""
    files = [root] if root.is_file() else [file for file in files_below(root) if _is_coco(file)]
    if not files:
        raise BadImageError(f"There is no COCO JSON in {root}.", "Check the path.")
    photos = Photos(root.parent if root.is_file() else root, elsewhere)
    classes, records, boxes = ClassList(), [], 0
    for file in files:
        split = split_in(file.relative_to(root) if root.is_dir() else Path(file.name))
        try:
            found, without = _records(file, read_json(file), photos, classes, split)
        except MALFORMED:
            raise not_as_expected(file, "COCO") from None
        records += found
        boxes += without
    notes = [f"{boxes} annotations are mere boxes and cover no area."] if boxes else []
    return Export(classes.classes, records, notes)


def _is_coco(file: Path) -> bool:
    if file.suffix.lower() != ".json":
        return False
    held = peeked(file)
    if held is not None:
        is_one = isinstance(held, dict) and all(isinstance(held.get(part), list) for part in PARTS)
        return is_one and any(
            isinstance(each, dict) and "segmentation" in each for each in held["annotations"][:100]
        )
    with contextlib.suppress(OSError), file.open("rb") as start:  # a large file: by its beginning
        head = start.read(4096)
        return any(
            f'"{word}"'.encode() in head for word in ("licenses", "images", "categories", "segmentation")
        )
    return False


def _records(
    file: Path, held: Any, photos: Photos, classes: ClassList, split: str
) -> tuple[list[Record], int]:
    places = {each["id"]: classes.place(each["name"]) for each in held["categories"]}
    areas: dict[Any, list[Area]] = defaultdict(list)
    boxes = 0
    for each in held["annotations"]:
        if each.get("segmentation"):
            areas[each["image_id"]].append(
                Area(places[each["category_id"]], _mask(each["segmentation"], file))
            )
        else:
            boxes += 1
    found = []
    for image in held["images"]:
        name, size = str(image["file_name"]).replace("\\", "/"), None
        if image.get("width") and image.get("height"):
            size = (int(image["width"]), int(image["height"]))
        photo = photos.find(f"{file.parent.name}/{name}")
        found.append(_record(name, photo, areas[image["id"]], split or split_in(Path(name)), file, size))
    return found, boxes


def _record(
    name: str, photo: Path | None, areas: list[Area], split: str, file: Path, size: Size | None
) -> Record:
    return Record(
        str(Path(name).with_suffix("")), photo, lambda size: largest_first(areas, size), split, file, size
    )


def _mask(segmentation: Any, file: Path) -> Any:
    if isinstance(segmentation, list):
        return polygons(segmentation)
    height, width = (int(side) for side in segmentation["size"])
    counts = segmentation["counts"]

    def mask(size: Size) -> Any:
        try:
            if size != (width, height):
                raise ValueError("another size")
            return run_lengths(counts, size)
        except (ValueError, TypeError):
            raise not_as_expected(file, "COCO") from None

    return mask


FORMAT = Format("coco", "COCO JSON", recognises, read)
