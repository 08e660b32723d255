# SPDX-License-Identifier: Apache-2.0
"""Label Studio: its JSON export, with polygons, brush strokes, rectangles and ellipses in percent of the photo."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from ....contract.errors import BadImageError
from ..areas import Area, drawn, ellipse, polygons, rectangle, scaled
from ..base import MALFORMED, ClassList, Export, Format, Record, Size, not_as_expected, peeked, read_json
from ..brush import decoded
from ..photos import Photos, files_below, some_below

KINDS = ("polygonlabels", "brushlabels", "rectanglelabels", "ellipselabels")
PICTURE = re.compile(r"\.(jpe?g|png|webp|tiff?|bmp|gif)$", re.IGNORECASE)
UPLOADED = re.compile(r"^[0-9a-f]{8}-")
"""What it puts before the names of uploaded files."""
MASK = re.compile(r"^task-\d+-annotation-.*-tag-.+\.(png|npy)$")


def recognises(root: Path) -> bool:
    if root.is_file():
        return _is_label_studio(peeked(root))
    jsons = any(_is_label_studio(peeked(file)) for file in some_below(root, ".json"))
    return jsons or any(MASK.match(file.name) for file in some_below(root, ".png"))


def read(root: Path, elsewhere: Path | None) -> Export:
    """Raises BadImageError where there is no JSON export, as in a folder of its masks."""
    files = [root] if root.is_file() else [file for file in files_below(root) if _may_be_one(file)]
    if not files:
        raise BadImageError(
            f"{root} holds Label Studio's masks, which do not say which photo they are of.",
            "Export the project as JSON, and name that file.",
        )
    photos, classes, passed = (
        Photos(root.parent if root.is_file() else root, elsewhere),
        ClassList(),
        Counter[str](),
    )
    records, unlabelled = [], 0
    for file in files:
        try:
            for task in read_json(file):
                found = _record(task, file, photos, classes, passed)
                unlabelled += found is None
                records += [] if found is None else [found]
        except MALFORMED:
            raise not_as_expected(file, "Label Studio") from None
    notes = [f"{count} results of the kind '{kind}' cover no area." for kind, count in passed.items()]
    notes += [f"{unlabelled} tasks have no annotation."] if unlabelled else []
    return Export(classes.classes, records, notes)


def _may_be_one(file: Path) -> bool:
    return file.suffix.lower() == ".json" and _is_label_studio(peeked(file))


def _is_label_studio(held: Any) -> bool:
    """A list of tasks: in full with annotations, or shortened with labels by the name of the control."""
    if not isinstance(held, list) or not held or not isinstance(held[0], dict):
        return False
    first = held[0]
    full = isinstance(first.get("annotations"), list) and isinstance(first.get("data"), dict)
    return full or ("annotation_id" in first and "annotator" in first)


def _record(
    task: dict, file: Path, photos: Photos, classes: ClassList, passed: Counter[str]
) -> Record | None:
    """The newest annotation that nobody cancelled; None without one."""
    named = _photo_name(task["data"] if "data" in task else task)
    results = _results(task)
    if not results:
        return None
    areas, size = [], None
    for kind, value, own_size in results:
        if own_size is not None:
            size = own_size
        labels = value.get(kind)
        if kind not in KINDS or not labels or size is None:
            passed[kind] += 1
        else:
            areas.append(Area(classes.place(labels[0]), _mask(kind, value, size, file)))
    photo = photos.find(named) or photos.find(UPLOADED.sub("", Path(named).name))
    name = UPLOADED.sub("", Path(named).name)
    return Record(str(Path(name).with_suffix("")), photo, lambda size: drawn(areas, size), "", file, size)


def _results(task: dict) -> list[tuple[str, dict, Size | None]]:
    """Kind, value and the photo's size, of each thing that was drawn."""
    if "data" in task:
        valid = [each for each in task["annotations"] if not each.get("was_cancelled")]
        if not valid:
            return []
        return [(each["type"], each["value"], _size(each)) for each in valid[-1]["result"] if "value" in each]
    lists = [value for value in task.values() if isinstance(value, list)]
    return [
        (next((kind for kind in KINDS if kind in each), "other"), each, _size(each))
        for held in lists
        for each in held
        if isinstance(each, dict)
    ]


def _size(each: dict) -> Size | None:
    width, height = each.get("original_width"), each.get("original_height")
    return (int(width), int(height)) if width and height else None


def _photo_name(data: dict) -> str:
    """The photo's path, of an upload, a local file or a URL. Raises ValueError without one."""
    for text in _strings(data):
        url = urlsplit(text)
        path = parse_qs(url.query).get("d", [url.path])[0]
        if PICTURE.search(unquote(path)):
            return unquote(path)
    raise ValueError("a task without a photo")


def _strings(data: dict) -> Iterator[str]:
    return (value for value in data.values() if isinstance(value, str))


def _mask(kind: str, value: dict, size: Size, file: Path) -> Callable[[Size], np.ndarray]:
    width, height = size[0] / 100, size[1] / 100
    if kind == "polygonlabels":
        return polygons([scaled(value["points"], width, height)])
    if kind == "brushlabels":
        code = bytes(value["rle"])

        def mask(wanted: Size) -> np.ndarray:
            try:
                return decoded(code, wanted) > 0
            except ValueError:
                raise not_as_expected(file, "Label Studio") from None

        return mask
    if value.get("rotation"):
        return polygons([_turned(kind, value, width, height)])
    if kind == "ellipselabels":
        return polygons([_ellipse(value, width, height)])
    left, top = value["x"] * width, value["y"] * height
    return polygons([rectangle(left, top, left + value["width"] * width, top + value["height"] * height)])


def _ellipse(value: dict, width: float, height: float) -> list[float]:
    return ellipse(
        value["x"] * width, value["y"] * height, value["radiusX"] * width, value["radiusY"] * height
    )


def _turned(kind: str, value: dict, width: float, height: float) -> list[float]:
    """Clockwise by degrees, about x, y: a rectangle's first corner, an ellipse's centre."""
    x, y = value["x"] * width, value["y"] * height
    if kind == "ellipselabels":
        corners = _ellipse(value, width, height)
    else:
        corners = rectangle(x, y, x + value["width"] * width, y + value["height"] * height)
    angle = np.deg2rad(float(value["rotation"]))
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    points = np.asarray(corners).reshape(-1, 2) - (x, y)
    return (points @ turn + (x, y)).ravel().tolist()


FORMAT = Format("label-studio", "Label Studio", recognises, read)
