# SPDX-License-Identifier: Apache-2.0
"""Hugging Face data sets as parquet files: a column of pictures, and one of masks of ids."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ....contract.errors import BadImageError, UnavailableError
from ..base import ClassList, Export, Format, Record, Size
from ..folders import names_beside
from ..masks import UNLABELLED, classes_of_ids, ids_in_picture
from ..photos import files_below, some_below
from ..pictures import picture_of
from ..splits import split_in

PHOTOS = ("image", "pixel_values", "img", "photo", "images")
MASKS = (
    "annotation",
    "label",
    "mask",
    "labels",
    "segmentation",
    "annotations",
    "segmentation_mask",
    "semantic",
)


def recognises(root: Path) -> bool:
    if root.is_file():
        return root.suffix.lower() == ".parquet"
    return bool(some_below(root, ".parquet", 1))


def read(root: Path, elsewhere: Path | None) -> Export:
    """Raises BadImageError where it has no two columns of pictures, and UnavailableError without pyarrow."""
    files = [root] if root.is_file() else [file for file in files_below(root) if file.suffix == ".parquet"]
    folder = root.parent if root.is_file() else root
    found = [(file, *_columns(file)) for file in files]
    names, notes = names_beside(folder), []
    if names is None:
        used = {id for file, _, mask in found for id in _ids(file, mask)} - {UNLABELLED}
        names = {id: f"class {id}" for id in sorted(used)}
        notes.append("Nothing says what its ids are called (id2label.json beside the files would).")
    classes = ClassList()
    places = {id: classes.place(name, id=id) for id, name in names.items()}
    records = []
    for file, photo, mask in found:
        split = split_in(file.relative_to(folder))
        for row in range(_opened(file).metadata.num_rows):
            name = f"{file.relative_to(folder).with_suffix('').as_posix().removeprefix('data/')}-{row:06}"
            class_map = _classes(file, mask, row, places)
            records.append(Record(name, _bytes(file, photo, row), class_map, split, file))
    return Export(classes.classes, records, notes)


def _bytes(file: Path, column: str, row: int) -> Callable[[], bytes]:
    def held() -> bytes:
        return _cell(file, column, row)

    return held


def _classes(file: Path, column: str, row: int, places: dict[int, int]) -> Callable[[Size], np.ndarray]:
    def class_map(size: Size) -> np.ndarray:
        named = f"{file}, row {row}, {column}"
        return classes_of_ids(
            ids_in_picture(picture_of(_cell(file, column, row), named), named), places, named
        )

    return class_map


def _ids(file: Path, column: str) -> set[int]:
    found: set[int] = set()
    for row in range(_opened(file).metadata.num_rows):
        found.update(
            np.unique(ids_in_picture(picture_of(_cell(file, column, row), str(file)), str(file))).tolist()
        )
    return found


def _columns(file: Path) -> tuple[str, str]:
    """The columns of photos and of masks. Raises BadImageError."""
    schema = _opened(file).schema_arrow
    pictures = [each.name for each in schema if "bytes" in str(each.type) or str(each.type) == "binary"]
    photo = next((name for name in PHOTOS if name in pictures), None)
    mask = next((name for name in MASKS if name in pictures), None)
    if photo is None or mask is None:
        raise BadImageError(
            f"{file} has no columns of photos and masks, but {', '.join(schema.names)}.",
            f"Call them {PHOTOS[0]} and {MASKS[0]}, with the pictures' bytes.",
        )
    return photo, mask


def _cell(file: Path, column: str, row: int) -> bytes:
    """The bytes of one picture. Raises BadImageError where there are none."""
    held: Any = None
    for group in range(_opened(file).metadata.num_row_groups):
        rows = _opened(file).metadata.row_group(group).num_rows
        if row < rows:
            held = _group(file, group, column)[row].as_py()
            break
        row -= rows
    data = held.get("bytes") if isinstance(held, dict) else held
    if not data:
        raise BadImageError(
            f"{file} has no picture in row {row} of {column}.", "Export it with the pictures inside."
        )
    return bytes(data)


@lru_cache(maxsize=8)
def _opened(file: Path) -> Any:
    try:
        import pyarrow.parquet
    except ImportError:
        raise UnavailableError(
            "Parquet files are read by pyarrow, which is not installed.",
            "Run pip install 'spade-backdrops[data]'.",
        ) from None
    try:
        return pyarrow.parquet.ParquetFile(file)
    except (OSError, pyarrow.ArrowException):
        raise BadImageError(f"{file} is no parquet file, or cut short.", "Download it again.") from None


@lru_cache(maxsize=4)  # photos and masks of the part that is being read
def _group(file: Path, group: int, column: str) -> Any:
    return _opened(file).read_row_group(group, columns=[column]).column(0)


FORMAT = Format("parquet", "Hugging Face parquet files", recognises, read)
