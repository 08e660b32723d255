# SPDX-License-Identifier: Apache-2.0
"""CVAT for images 1.1: annotations.xml with polygons, masks, boxes and ellipses in pixels, each with its z_order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import numpy as np

from ....contract.errors import BadImageError
from ..areas import Area, drawn, ellipse, pasted, polygons, rectangle
from ..base import MALFORMED, ClassList, Export, Format, Record, Size, not_as_expected, refused_record
from ..photos import Photos, files_below, some_below
from ..splits import NAMES, split_in

AREAS = ("polygon", "mask", "box", "ellipse")
OTHERS = ("polyline", "points", "cuboid", "skeleton", "tag")


def recognises(root: Path) -> bool:
    files = [root] if root.is_file() and root.suffix.lower() == ".xml" else []
    return any(map(_is_cvat, files or (some_below(root, ".xml") if root.is_dir() else [])))


def _is_cvat(file: Path) -> bool:
    with file.open("rb") as start:
        head = start.read(4096)
    return b"<annotations>" in head and b"<version>1.1</version>" in head


def read(root: Path, elsewhere: Path | None) -> Export:
    """Every such file below a folder, or one file. Raises BadImageError where there is none."""
    found = (
        [root] if root.is_file() else [file for file in files_below(root) if file.suffix.lower() == ".xml"]
    )
    files = [file for file in found if _is_cvat(file)]
    if not files:
        raise BadImageError(f"There is no annotations.xml of CVAT in {root}.", "Check the path.")
    photos = Photos(root.parent if root.is_file() else root, elsewhere)
    classes, passed, records = ClassList(), Counter[str](), []
    for file in files:
        try:
            tree = ElementTree.parse(file).getroot()
        except ElementTree.ParseError:
            raise not_as_expected(file, "CVAT") from None
        for label in tree.findall("./meta//labels/label"):
            classes.place(label.findtext("name", ""), label.findtext("color", ""))
        for image in tree.findall("image"):
            name = str(Path(image.get("name", "photo")).with_suffix(""))
            try:
                records.append(_record(name, image, file, photos, classes, passed))
            except MALFORMED:
                records.append(refused_record(name, not_as_expected(file, "CVAT")))
    notes = [f"{count} shapes of the kind '{kind}' cover no area." for kind, count in passed.items()]
    return Export(classes.classes, records, notes)


def _record(
    name: str, image: Element, file: Path, photos: Photos, classes: ClassList, passed: Counter[str]
) -> Record:
    shapes = []
    for each in image:
        if each.tag in OTHERS:
            passed[each.tag] += 1
        elif each.tag in AREAS:
            area = Area(classes.place(each.attrib["label"]), _mask(each))
            shapes.append((int(each.get("z_order", 0)), area))
    areas = [area for _, area in sorted(shapes, key=lambda shape: shape[0])]
    size = (int(image.attrib["width"]), int(image.attrib["height"]))
    subset = image.get("subset", "").lower()
    split = NAMES.get(subset) or split_in(Path(image.attrib["name"]))
    return Record(name, photos.find(image.attrib["name"]), lambda size: drawn(areas, size), split, file, size)


def _mask(shape: Element) -> Callable[[Size], np.ndarray]:
    if shape.tag == "polygon":
        return polygons([[float(part) for part in shape.attrib["points"].replace(";", ",").split(",")]])
    if shape.tag == "mask":
        left, top, width, height = (int(shape.attrib[name]) for name in ("left", "top", "width", "height"))
        return pasted(_run_lengths(shape.attrib["rle"], width, height), left, top)
    if shape.tag == "box":
        corners = rectangle(*(float(shape.attrib[name]) for name in ("xtl", "ytl", "xbr", "ybr")))
        angle = float(shape.get("rotation", 0))
        middle = np.reshape(corners, (4, 2)).mean(0)
    else:
        x, y, across, down = (float(shape.attrib[name]) for name in ("cx", "cy", "rx", "ry"))
        corners, angle, middle = (
            ellipse(x, y, across, down),
            float(shape.get("rotation", 0)),
            np.array([x, y]),
        )
    turn = np.deg2rad(angle)  # clockwise, about the middle
    matrix = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return polygons([((np.reshape(corners, (-1, 2)) - middle) @ matrix + middle).ravel().tolist()])


def _run_lengths(text: str, width: int, height: int) -> np.ndarray:
    """(height, width) bool, row by row, the first run outside. Raises ValueError where they do not fill it."""
    counts = [int(part) for part in text.split(",")]
    if min(counts) < 0 or sum(counts) != width * height:
        raise ValueError("run lengths")
    return np.repeat(np.arange(len(counts)) % 2 == 1, counts).reshape(height, width)


FORMAT = Format("cvat-xml", "CVAT for images (XML)", recognises, read)
