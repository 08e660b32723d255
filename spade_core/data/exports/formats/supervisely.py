# SPDX-License-Identifier: Apache-2.0
"""Supervisely: meta.json with the classes, and in each data set img/NAME.jpg with ann/NAME.jpg.json."""

from __future__ import annotations

import base64
import io
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ....contract.errors import BadImageError, SpadeError
from ..areas import Area, drawn, pasted, polygons, rectangle, with_holes
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
from ..photos import Photos
from ..splits import NAMES, split_in

LARGEST_MASK = 2**28
"""Bytes that a bitmap may unpack to."""


def recognises(root: Path) -> bool:
    held = peeked(root / "meta.json") if (root / "meta.json").is_file() else None
    return isinstance(held, dict) and isinstance(held.get("classes"), list) and any(root.glob("*/ann/*.json"))


def read(root: Path, elsewhere: Path | None) -> Export:
    """Raises BadImageError where it is not as Supervisely writes it."""
    photos, classes, passed = Photos(root, elsewhere), ClassList(), Counter[str]()
    try:
        for each in read_json(root / "meta.json")["classes"]:
            classes.place(each["title"], each.get("color", ""))
    except MALFORMED:
        raise not_as_expected(root / "meta.json", "Supervisely") from None
    records = []
    for file in sorted(root.glob("*/ann/*.json")):
        folder = file.parent.parent
        name = f"{folder.name}/{Path(file.stem).stem}"
        photo = folder / "img" / file.stem
        taken = photo if photo.is_file() else photos.find(file.stem)
        try:
            records.append(_record(name, file, taken, read_json(file), classes, passed))
        except MALFORMED:
            records.append(refused_record(name, not_as_expected(file, "Supervisely")))
        except SpadeError as problem:
            records.append(refused_record(name, problem))
    if not records:
        raise BadImageError(f"There is nothing in an ann/ folder in {root}.", "Export it with annotations.")
    notes = [f"{count} objects of the kind '{kind}' cover no area." for kind, count in passed.items()]
    return Export(classes.classes, records, notes)


def _record(
    name: str, file: Path, photo: Path | None, held: dict, classes: ClassList, passed: Counter[str]
) -> Record:
    areas = []
    for each in held["objects"]:
        mask = _mask(each)
        if mask is None:
            passed[each.get("geometryType", "unknown")] += 1
        else:
            areas.append(Area(classes.place(each["classTitle"]), mask))
    tags = (str(tag.get("name", "")).lower() for tag in held.get("tags", []) if isinstance(tag, dict))
    split = next((NAMES[tag] for tag in tags if tag in NAMES), split_in(Path(name)))
    size = (int(held["size"]["width"]), int(held["size"]["height"]))
    return Record(name, photo, lambda size: drawn(areas, size), split, file, size)


def _mask(each: dict) -> Any:
    kind = each.get("geometryType")
    if kind == "bitmap" or "bitmap" in each:
        left, top = each["bitmap"]["origin"]
        return pasted(_unpacked(each["bitmap"]["data"]), int(left), int(top))
    if kind == "polygon":
        return with_holes(each["points"]["exterior"], each["points"].get("interior", []))
    if kind == "rectangle":
        (left, top), (right, bottom) = each["points"]["exterior"]
        return polygons([rectangle(left, top, right + 1, bottom + 1)])  # its last row and column belong to it
    return None


def _unpacked(text: str) -> np.ndarray:
    """(h, w) bool of a PNG, packed by zlib, in base64. Raises ValueError, OSError and zlib.error."""
    unpacker = zlib.decompressobj()
    png = unpacker.decompress(base64.b64decode(text), LARGEST_MASK)
    with Image.open(io.BytesIO(png)) as picture:
        pixels = np.asarray(picture if picture.mode in ("1", "L", "P") else picture.convert("RGBA"))
    return pixels[..., 3] > 0 if pixels.ndim == 3 else pixels > 0


FORMAT = Format("supervisely", "Supervisely", recognises, read)
