# SPDX-License-Identifier: Apache-2.0
"""From colours, or foreign ids, to the ids of a label set."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from ..contract.errors import BadLabelSetError, SpadeError
from ..contract.labels import LabelSet, load_label_set
from ..image_files import ID_MODES

_TABLE = (
    "Give it a first line 'color,class' (#RRGGBB), 'r,g,b,class', or 'id,class'; a class is a name or an id."
)
_CHUNK = 4096


@dataclass(frozen=True)
class Palette:
    """What each colour means. entries: (code, id) with code 0xRRGGBB; or, of a table of ids, the id that stands there.

    of_colors: whether the codes are colours.
    """

    label_set: LabelSet
    entries: tuple[tuple[int, int], ...]
    of_colors: bool = True

    @classmethod
    def of(cls, label_set: LabelSet) -> Palette:
        """The set's own colours. Raises BadLabelSetError where two classes share one."""
        return cls(label_set, _distinct([(int(each.color[1:], 16), each.id) for each in label_set.classes]))

    @classmethod
    def read(cls, source: str, label_set: LabelSet) -> Palette:
        """A CSV table, or a label set (a name or a TOML file) whose colours and class names are to be used.

        Raises BadLabelSetError.
        """
        if not source.lower().endswith(".csv"):
            colors = load_label_set(source)
            entries = [(int(each.color[1:], 16), class_id(each.name, label_set)) for each in colors.classes]
            return cls(label_set, _distinct(entries))
        try:
            with Path(source).open(newline="", encoding="utf-8-sig") as file:
                rows = list(csv.DictReader(file))
            codes = [_code(row) for row in rows]
            ids = [class_id(row["class"], label_set) for row in rows]
        except OSError as problem:
            raise BadLabelSetError(
                f"{source} cannot be read: {problem.strerror}.", "Check the path."
            ) from None
        except SpadeError:
            raise
        except (KeyError, ValueError, TypeError, csv.Error):
            raise BadLabelSetError(f"{source} is no table of colours and classes.", _TABLE) from None
        if not rows:
            raise BadLabelSetError(f"{source} is empty.", _TABLE)
        return cls(label_set, _distinct(list(zip(codes, ids, strict=True))), of_colors="id" not in rows[0])

    @cached_property
    def digest(self) -> str:
        """Equal for palettes that convert alike."""
        identity = (self.label_set.digest, sorted(self.entries), self.of_colors)
        return hashlib.sha256(repr(identity).encode()).hexdigest()

    def codes_in(self, picture: Image.Image) -> np.ndarray:
        """The code of each pixel, (H, W) int64; -1 where it is transparent."""
        if not self.of_colors:
            if picture.mode not in ID_MODES:
                raise BadLabelSetError(
                    "A table of ids is for one-channel pictures, not for colours.",
                    "Use a table with the columns color and class.",
                )
            return np.asarray(picture).astype(np.int64)
        rgba = np.asarray(picture.convert("RGBA")).astype(np.int64)
        codes = rgba[..., 0] << 16 | rgba[..., 1] << 8 | rgba[..., 2]
        return np.where(rgba[..., 3] == 255, codes, -1)

    def meanings(self, codes: np.ndarray, tolerance: int) -> np.ndarray:
        """The id each code stands for, -1 where none does. codes: (N,).

        A colour means the nearest entry (Euclidean) of those that differ by at most `tolerance` in each channel.
        """
        known, ids = (np.array(column, np.int64) for column in zip(*self.entries, strict=True))
        order = np.argsort(known)
        place = np.minimum(np.searchsorted(known[order], codes), known.size - 1)
        exact = known[order][place] == codes
        found = np.where(exact, ids[order][place], -1)
        if tolerance and self.of_colors:
            for start in range(0, codes.size, _CHUNK):
                part = np.arange(start, min(start + _CHUNK, codes.size))
                part = part[~exact[part] & (codes[part] >= 0)]
                apart = np.abs(_channels(codes[part])[:, None] - _channels(known)[None])
                away = np.where((apart <= tolerance).all(-1), (apart**2).sum(-1), np.iinfo(np.int64).max)
                nearest = away.argmin(axis=1)
                near = away[np.arange(part.size), nearest] < np.iinfo(np.int64).max
                found[part[near]] = ids[nearest[near]]
        return found

    def nearest(self, code: int) -> tuple[str, int]:
        """The name of the class whose colour is nearest to a code, and the largest difference in a channel."""
        known, ids = (np.array(column, np.int64) for column in zip(*self.entries, strict=True))
        apart = np.abs(_channels(np.array([code])) - _channels(known))
        best = int((apart**2).sum(-1).argmin())
        names = {each.id: each.name for each in self.label_set.classes} | {self.label_set.ignore_id: "(any)"}
        return names[int(ids[best])], int(apart[best].max())


def _channels(codes: np.ndarray) -> np.ndarray:
    return np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=-1)


def _code(row: dict[str, str]) -> int:
    if "color" in row:
        text = row["color"].strip().lstrip("#")
        if len(text) != 6:
            raise ValueError(text)
        return int(text, 16)
    if "id" in row:
        return int(row["id"])
    parts = [int(row[channel]) for channel in "rgb"]
    if not all(0 <= part <= 255 for part in parts):
        raise ValueError(parts)
    return parts[0] << 16 | parts[1] << 8 | parts[2]


def class_id(text: str, label_set: LabelSet) -> int:
    """A class by name or id; "ignore" and the ignore id itself stand for no class. Raises BadLabelSetError."""
    text = text.strip()
    found = label_set.class_named(text)
    if found is not None:
        return found.id
    if text.lower() == "ignore" or text == str(label_set.ignore_id):
        return label_set.ignore_id
    if text.isdigit() and any(each.id == int(text) for each in label_set.classes):
        return int(text)
    raise BadLabelSetError(
        f"The label set '{label_set.name}' has no class '{text}'.",
        f"Use its names or ids (`spade labels show {label_set.name}`), or 'ignore'.",
    )


def _distinct(entries: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    meant: dict[int, int] = {}
    for code, id in entries:
        if meant.setdefault(code, id) != id:
            raise BadLabelSetError(
                f"#{code:06X} stands for two classes, {meant[code]} and {id}.",
                "Write a table (CSV) in which each colour has one class.",
            )
    return tuple(meant.items())
