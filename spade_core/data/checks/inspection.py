# SPDX-License-Identifier: Apache-2.0
"""One pair, looked at closely: what it holds and what is wrong with it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ...contract.errors import BadLabelError, SpadeError
from ...contract.labels import LabelSet
from ..pairs import (
    ORIENTATION,
    Pair,
    instances_differ,
    is_turned,
    read_instances,
    read_labels,
    read_photo,
    sizes_differ,
)

ERROR, WARNING = "error", "warning"

SMOOTHED = 0.3
"""From this share of a map's borders on, ids between those of both sides are no accident."""


FEWEST_BORDERS = 100  # pixels; below it a share says nothing


@dataclass(frozen=True)
class Finding:
    """One thing to put right: what is wrong with the first of `count` files (or with the whole), and the fix.

    severity: ERROR keeps training from using a pair, WARNING does not.
    """

    severity: str
    message: str
    fix: str
    count: int = 1
    files: tuple[str, ...] = ()
    """All of them."""


@dataclass(frozen=True)
class Inspected:
    """What was found in one pair."""

    pair: Pair
    findings: list[Finding]
    """Errors first."""
    size: tuple[int, int] | None
    """(width, height); None if unreadable."""
    pixels: dict[int, int]
    """By id, how many pixels show it."""
    content: str
    """Equal for photos of equal bytes; "" if unreadable."""

    @property
    def severity(self) -> str:
        """Of the worst finding; "" for a sound pair."""
        return self.findings[0].severity if self.findings else ""


def inspect_pair(pair: Pair, label_set: LabelSet) -> Inspected:
    """Read all of a pair, photo and labels apart, so that one fault does not hide another."""
    errors: list[SpadeError] = []

    def tried(read: Callable[[], np.ndarray | None]) -> np.ndarray | None:
        try:
            return read()
        except SpadeError as error:
            errors.append(error)
            return None

    label_map = tried(lambda: read_labels(pair.labels, label_set))
    fits = (0, 0) if label_map is None else (label_map.shape[1], label_map.shape[0])
    photo = tried(lambda: read_photo(pair.image, fits))
    objects = tried(lambda: read_instances(pair.instances) if pair.instances else None)
    arrays = {"photo": photo, "labels": label_map, "instances": objects}
    sizes = {name: (array.shape[1], array.shape[0]) for name, array in arrays.items() if array is not None}
    size = sizes.get("photo", sizes.get("labels"))
    if sizes.get("labels", size) != size:
        errors.append(sizes_differ(pair, sizes["photo"], sizes["labels"]))
    elif size and sizes.get("instances", size) != size:
        errors.append(instances_differ(pair, sizes["instances"], size))
    findings = [_of_error(error) for error in errors]
    pixels: dict[int, int] = {}
    if label_map is not None:
        counts = np.bincount(label_map.ravel())
        pixels = {int(id): int(counts[id]) for id in np.flatnonzero(counts)}
        findings += _label_warnings(pair, label_map, pixels, label_set)
    content = ""
    if photo is not None:
        content = hashlib.sha256(photo.tobytes()).hexdigest()
        findings += _photo_warnings(pair, (photo.shape[1], photo.shape[0]))
    return Inspected(pair, findings, size, pixels, content)


def _of_error(error: SpadeError) -> Finding:
    more = " Or convert them: `spade dataset convert`." if isinstance(error, BadLabelError) else ""
    return Finding(ERROR, error.message, error.fix + more)


def in_between_share(label_map: np.ndarray) -> float:
    """Of the pixels between two others of different ids, in rows and columns, the share with an id between the two.

    (H, W) ids. A map that was scaled with smoothing has such a fringe along all its borders, of ids that nobody meant.
    """
    borders = between = 0
    wide = label_map.astype(np.int32)
    for a, b, c in ((wide[:, :-2], wide[:, 1:-1], wide[:, 2:]), (wide[:-2], wide[1:-1], wide[2:])):
        border = np.abs(a - c) > 1
        borders += int(border.sum())
        between += int((border & ((a < b) & (b < c) | (a > b) & (b > c))).sum())
    return between / borders if borders >= FEWEST_BORDERS else 0.0


def _label_warnings(
    pair: Pair, label_map: np.ndarray, pixels: dict[int, int], label_set: LabelSet
) -> list[Finding]:
    found = []
    if in_between_share(label_map) > SMOOTHED:
        found.append(
            Finding(
                WARNING,
                f"{pair.labels} has a fringe of other ids along its borders: it was scaled with smoothing.",
                "Make it anew from the original, without smoothing (nearest neighbour).",
            )
        )
    ignored = pixels.get(label_set.ignore_id, 0) if label_set.ignore_id not in _ids(label_set) else 0
    if ignored > 0.5 * label_map.size:
        found.append(
            Finding(
                WARNING,
                f"{100 * ignored / label_map.size:.0f}% of {pair.labels} has no class.",
                "Label more of it, or leave the pair out: little is learned from it.",
            )
        )
    if label_set.name == "ade20k" and label_set.ignore_id in pixels and 0 not in pixels:
        found.append(
            Finding(
                WARNING,
                f"{pair.labels} holds 255 and no 0: its ids look shifted by one (0 to 149, 255).",
                "Use the annotations as they come (0 is other, 1 is wall), or convert them by a table of ids.",
            )
        )
    return found


def _photo_warnings(pair: Pair, taken: tuple[int, int]) -> list[Finding]:
    """taken: its (width, height) as training takes it."""
    with Image.open(pair.image) as photo:
        if not is_turned(photo):
            return []
        as_stored = photo.size == taken and photo.width != photo.height and photo.getexif()[ORIENTATION] > 4
    if as_stored:
        how = "its label map fits it only as it is stored, and so it is taken"
    else:
        how = "training turns it, and takes its label map to be of the photo as it is shown"
    message = f"{pair.image} carries a note that it is to be turned; {how}."
    return [Finding(WARNING, message, "Save photo and label map upright, without the note.")]


def _ids(label_set: LabelSet) -> set[int]:
    return {entry.id for entry in label_set.classes}
