# SPDX-License-Identifier: Apache-2.0
"""LabelMe: a JSON file a photo, with shapes in pixels; the photo lies beside it or inside it."""

from __future__ import annotations

import base64
import io
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ....contract.errors import BadImageError, SpadeError
from ..areas import Area, drawn, ellipse, pasted, polygons, rectangle
from ..base import (
    MALFORMED,
    ClassList,
    Export,
    Format,
    Record,
    not_as_expected,
    peeked,
    read_json,
    refused_record,
)
from ..photos import Photos, files_below, some_below

AREAS = ("polygon", "rectangle", "circle", "mask")
"""Shapes that cover something; points and lines do not."""


def recognises(root: Path) -> bool:
    return root.is_dir() and any(_is_labelme(peeked(file)) for file in some_below(root, ".json"))


def read(root: Path, elsewhere: Path | None) -> Export:
    """Raises BadImageError where there is no file of it."""
    photos, classes, passed = Photos(root, elsewhere), ClassList(), Counter[str]()
    records = []
    for file in files_below(root):
        if file.suffix.lower() != ".json":
            continue
        name = file.relative_to(root).with_suffix("").as_posix()
        try:
            held = read_json(file)
            if _is_labelme(held):
                records.append(_record(name, file, held, photos, classes, passed))
        except MALFORMED:
            records.append(refused_record(name, not_as_expected(file, "LabelMe")))
        except SpadeError as problem:
            records.append(refused_record(name, problem))
    if not records:
        raise BadImageError(f"There is no JSON file of LabelMe in {root}.", "Check the path.")
    notes = [f"{count} shapes of the kind '{kind}' cover no area." for kind, count in passed.items()]
    return Export(classes.classes, records, notes)


def _is_labelme(held: Any) -> bool:
    return isinstance(held, dict) and isinstance(held.get("shapes"), list) and "imagePath" in held


def _record(
    name: str, file: Path, held: dict, photos: Photos, classes: ClassList, passed: Counter[str]
) -> Record:
    areas = []
    for shape in held["shapes"]:
        kind = shape.get("shape_type") or "polygon"
        if kind not in AREAS:
            passed[kind] += 1
            continue
        areas.append(Area(classes.place(shape["label"]), _mask(kind, shape)))
    inside = held.get("imageData")
    beside = file.parent / Path(held["imagePath"].replace("\\", "/")).name
    photo: Any = beside if beside.is_file() else photos.find(held["imagePath"])
    if photo is None and inside:
        photo = lambda: base64.b64decode(inside)  # noqa: E731
    width, height = held.get("imageWidth"), held.get("imageHeight")
    size = (int(width), int(height)) if width and height else None
    return Record(name, photo, lambda size: drawn(areas, size), source=file, size=size)


def _mask(kind: str, shape: dict) -> Any:
    points = np.asarray(shape["points"], np.float64)
    if kind == "polygon":
        return polygons([points.ravel().tolist()])
    (left, top), (right, bottom) = points[0], points[1]
    if kind == "rectangle":
        return polygons([rectangle(left, top, right, bottom)])
    if kind == "circle":  # the centre, and a point on it
        radius = float(np.hypot(right - left, bottom - top))
        return polygons([ellipse(left, top, radius, radius)])
    with Image.open(io.BytesIO(base64.b64decode(shape["mask"]))) as picture:
        return pasted(np.asarray(picture.convert("L")) > 0, round(left), round(top))


FORMAT = Format("labelme", "LabelMe", recognises, read)
