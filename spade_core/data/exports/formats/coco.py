# SPDX-License-Identifier: Apache-2.0
"""COCO JSON: polygons and run lengths of objects, as COCO, Roboflow, CVAT, Label Studio and many others write it."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ....contract.errors import BadImageError
from ..areas import Area, largest_first, polygons, run_lengths
from ..base import MALFORMED, ClassList, Export, Format, Record, Size, not_as_expected, peeked, read_json
from ..photos import Photos, files_below, some_below
from ..splits import split_in

OTHERS = ("captions_", "person_keypoints_", "image_info_", "panoptic_")
"""What COCO's own annotations hold beside objects and stuff."""

PARTS = ("images", "annotations", "categories")


def recognises(root: Path) -> bool:
    files = [root] if root.is_file() and root.suffix.lower() == ".json" else some_below(root, ".json", 8)
    return any(_is_coco(file) for file in files)


@dataclass
class _Image:
    """A picture, with what all files say of it."""

    photo: Path | None
    file: Path
    size: Size | None
    areas: list[Area] = field(default_factory=list)


def read(root: Path, elsewhere: Path | None) -> Export:
    """Every file of it below a folder, or one file; what several say of a picture (objects, stuff) is drawn together.

    Raises BadImageError where there is none.
    """
    files = [root] if root.is_file() else [file for file in files_below(root) if _is_coco(file)]
    if not files:
        raise BadImageError(f"There is no COCO JSON in {root}.", "Check the path.")
    photos = Photos(root.parent if root.is_file() else root, elsewhere)
    classes, boxes = ClassList(), 0
    images: dict[tuple[str, str], _Image] = {}
    for file in files:
        split = split_in(file.relative_to(root) if root.is_dir() else Path(file.name))
        try:
            boxes += _read_file(file, read_json(file), photos, classes, split, images)
        except MALFORMED:
            raise not_as_expected(file, "COCO") from None
    notes = [f"{boxes} annotations are mere boxes and cover no area."] if boxes else []
    return Export(classes.classes, [_record(*key, image) for key, image in images.items()], notes)


def _is_coco(file: Path) -> bool:
    if file.suffix.lower() != ".json" or file.name.startswith(OTHERS):
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


def _read_file(
    file: Path,
    held: Any,
    photos: Photos,
    classes: ClassList,
    split: str,
    images: dict[tuple[str, str], _Image],
) -> int:
    """Adds to the images by split and name; returns how many annotations cover no area."""
    places = {each["id"]: classes.place(each["name"]) for each in held["categories"]}
    areas: dict[Any, list[Area]] = defaultdict(list)
    boxes = 0
    for each in held["annotations"]:
        if each.get("segmentation"):
            place = places[each["category_id"]]
            areas[each["image_id"]].append(Area(place, _mask(each["segmentation"], file)))
        else:
            boxes += 1
    for image in held["images"]:
        name, size = str(image["file_name"]).replace("\\", "/"), None
        if image.get("width") and image.get("height"):
            size = (int(image["width"]), int(image["height"]))
        key = (split or split_in(Path(name)), name)
        if key not in images:
            images[key] = _Image(photos.find(f"{file.parent.name}/{name}"), file, size)
        images[key].areas += areas[image["id"]]
    return boxes


def _record(split: str, name: str, image: _Image) -> Record:
    return Record(
        str(Path(name).with_suffix("")),
        image.photo,
        lambda size: largest_first(image.areas, size),
        split,
        image.file,
        image.size,
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
