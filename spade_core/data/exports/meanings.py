# SPDX-License-Identifier: Apache-2.0
"""From an export's classes to the ids of a label set: a set of its own, or one that was named."""

from __future__ import annotations

import colorsys
import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...contract.errors import BadLabelSetError, LabelSetMismatchError
from ...contract.labels import LabelClass, LabelSet
from ..palette import Palette, class_id
from .base import NO_CLASS, ExportClass

WITHOUT_NAME = "#"
"""A class that is called by its colour."""

NEAR = 24
"""How far, in each channel, such a colour may be from the one of a label set: JPEG moves it."""


@dataclass(frozen=True)
class Meanings:
    """What the classes of an export become. ids: of each, by its place; the ignore id for what has no class."""

    label_set: LabelSet
    ids: tuple[int, ...]

    def applied(self, class_map: np.ndarray) -> np.ndarray:
        """(H, W) ids of the set's dtype, from places in the export's classes, or NO_CLASS."""
        table = np.array([*self.ids, self.label_set.ignore_id], self.label_set.dtype)
        return table[np.where(class_map == NO_CLASS, len(self.ids), class_map)]


def own_set(name: str, classes: Sequence[ExportClass]) -> Meanings:
    """A label set of the export's classes, with its own ids where it has some. Raises BadLabelSetError without any."""
    kept = [each for each in classes if not each.nothing]
    if not kept:
        raise BadLabelSetError("The export names no class.", "Label something, and export it again.")
    ids = [each.id for each in kept if each.id is not None]
    numbers = ids if len(set(ids)) == len(kept) else list(range(len(kept)))
    ignore = 255 if 255 not in numbers and max(numbers) <= 255 else max(*numbers, 255) + 1
    colors = _distinct([each.color for each in kept])
    entries = tuple(
        LabelClass(id, each.name, color) for id, each, color in zip(numbers, kept, colors, strict=True)
    )
    label_set = LabelSet(name, 1, entries, ignore)
    by_name = {each.name: id for id, each in zip(numbers, kept, strict=True)}
    return Meanings(label_set, tuple(ignore if each.nothing else by_name[each.name] for each in classes))


def in_set(
    classes: Sequence[ExportClass],
    label_set: LabelSet,
    table: str | None = None,
    ignore_unknown: bool = False,
) -> Meanings:
    """Classes of a label set by name or alias; by colour where an export has no names.

    table: a CSV file with the columns name,class, which goes before that, or a palette for classes without names.
    Raises LabelSetMismatchError where a class is not in the set, and BadLabelSetError.
    """
    named = read_names(table, label_set) if table and has_names(table) else {}
    palette = Palette.read(table, label_set) if table and not named else None
    if palette is None and all(each.name.startswith(WITHOUT_NAME) for each in classes):
        palette = Palette.of(label_set)
    ids = [_meaning(each, label_set, named, palette) for each in classes]
    strange = [each.name for each, id in zip(classes, ids, strict=True) if id is None]
    if strange and not ignore_unknown:
        listed = ", ".join(strange[:8]) + (" and others" if len(strange) > 8 else "")
        raise LabelSetMismatchError(
            f"'{label_set.name}' has no class for {listed}.",
            "Say it in a table with the columns name,class (--palette), give them no class (--unknown ignore), or "
            "leave out --label-set for a label set of their own.",
        )
    return Meanings(label_set, tuple(label_set.ignore_id if id is None else id for id in ids))


def has_names(table: str) -> bool:
    """Whether a CSV table is one of names."""
    try:
        with Path(table).open(encoding="utf-8-sig") as file:
            return "name" in [word.strip().lower() for word in file.readline().split(",")]
    except (OSError, UnicodeDecodeError):
        return False


def read_names(table: str, label_set: LabelSet) -> dict[str, int]:
    """Ids by their case-folded names. Raises BadLabelSetError."""
    try:
        with Path(table).open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file, skipinitialspace=True))
        return {row["name"].strip().casefold(): class_id(row["class"], label_set) for row in rows}
    except (KeyError, AttributeError, TypeError, csv.Error):
        raise BadLabelSetError(
            f"{table} is no table of names and classes.", "Give it a first line 'name,class'."
        ) from None


def _meaning(
    each: ExportClass, label_set: LabelSet, named: dict[str, int], palette: Palette | None
) -> int | None:
    if (found := named.get(each.name.casefold())) is not None:
        return found
    if each.nothing:
        return label_set.ignore_id
    if each.name.startswith(WITHOUT_NAME) and palette is not None:
        id = int(palette.meanings(np.array([int(each.color[1:], 16)]), NEAR)[0])
        return None if id < 0 else id
    match = label_set.class_named(each.name) or label_set.match(each.name)
    return None if match is None else match.id


def _distinct(colors: list[str]) -> list[str]:
    """The colours, with others in place of missing ones and of those that are there already."""
    found: list[str] = []
    taken = set(colors) | {"#000000"}
    fresh = (_hue(number) for number in range(100_000))
    for color in colors:
        if not color or color in found or color == "#000000":
            color = next(each for each in fresh if each not in taken)
            taken.add(color)
        found.append(color)
    return found


def _hue(number: int) -> str:
    """Colours around the wheel by the golden ratio, in turns of lightness."""
    rgb = colorsys.hls_to_rgb(number * 0.618034 % 1.0, (0.55, 0.40, 0.70)[number // 12 % 3], 0.55)
    return "#" + bytes(round(255 * part) for part in rgb).hex().upper()
