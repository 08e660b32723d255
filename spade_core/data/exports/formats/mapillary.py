# SPDX-License-Identifier: Apache-2.0
"""Mapillary Vistas 1.2 and 2.0: config.json with the labels, training/images and training/labels (or v2.0/labels)."""

from __future__ import annotations

from pathlib import Path

from ....contract.errors import BadImageError
from ..base import MALFORMED, ClassList, Export, Format, Record, not_as_expected, peeked, read_json
from ..masks import by_id
from ..photos import Photos, files_below
from ..splits import NAMES

CONFIGS = ("config_v2.0.json", "config_v1.2.json", "config.json")
LABELS = {"config_v2.0.json": ("v2.0/labels",), "config_v1.2.json": ("v1.2/labels",)}


def recognises(root: Path) -> bool:
    config = _config(root)
    return config is not None and any(root.glob("training/**/labels")) and _has_labels(peeked(config))


def read(root: Path, elsewhere: Path | None) -> Export:
    """Raises BadImageError where config.json is another one, or there are no label maps."""
    config, classes = _config(root), ClassList()
    if config is None:
        raise BadImageError(f"There is no config.json in {root}.", "Copy it beside training/.")
    try:
        labels = list(enumerate(read_json(config)["labels"]))
        places = {
            id: classes.place(label.get("readable") or label["name"], _color(label["color"]), id)
            for id, label in labels
        }
    except MALFORMED:
        raise not_as_expected(config, "Mapillary Vistas") from None
    records = []
    for folder in sorted(each for each in root.iterdir() if each.is_dir() and each.name in NAMES):
        photos = Photos(folder / "images", elsewhere)
        for place in (*LABELS.get(config.name, ()), "labels"):
            if (folder / place).is_dir():
                records += [
                    Record(file.stem, photos.find(f"{file.stem}.jpg"), by_id(file, places), NAMES[folder.name], file)
                    for file in files_below(folder / place)
                    if file.suffix.lower() == ".png"
                ]  # fmt: skip
                break
    if not records:
        raise BadImageError(
            f"There are no label maps in {root}.", "Put them in training/labels, as they come."
        )
    return Export(classes.classes, records)


def _config(root: Path) -> Path | None:
    return next((root / name for name in CONFIGS if (root / name).is_file()), None)


def _has_labels(held: object) -> bool:
    return isinstance(held, dict) and isinstance(held.get("labels"), list)


def _color(rgb: list[int]) -> str:
    return "#" + bytes(rgb[:3]).hex().upper()


FORMAT = Format("mapillary", "Mapillary Vistas", recognises, read)
