# SPDX-License-Identifier: Apache-2.0
"""One pair, looked at closely: what it holds and what is wrong with it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from ...contract.errors import SpadeError
from ...contract.labels import LabelSet
from ..pairs import Pair, instances_differ, read_instances, read_labels, read_photo, sizes_differ

SMOOTHED = 0.3
"""From this share of a map's borders on, ids between those of both sides are no accident."""

_ORIENTATION = 0x0112  # in EXIF

FEWEST_BORDERS = 100  # pixels; below it a share says nothing


@dataclass(frozen=True)
class Inspected:
    """problems keep training from using the pair; doubts do not. size: (width, height), None if unreadable.

    pixels: by id, how many pixels show it. content: equal for photos of equal bytes.
    """

    pair: Pair
    problems: list[SpadeError] = field(default_factory=list)
    doubts: list[SpadeError] = field(default_factory=list)
    size: tuple[int, int] | None = None
    pixels: dict[int, int] = field(default_factory=dict)
    content: str = ""


def inspect(pair: Pair, label_set: LabelSet) -> Inspected:
    """Read all of a pair, photo and labels apart, so that one fault does not hide another."""
    found = Inspected(pair)
    label_map = _tried(found, lambda: read_labels(pair.labels, label_set))
    photo = _tried(found, lambda: read_photo(pair.image))
    objects = _tried(found, lambda: read_instances(pair.instances) if pair.instances else None)
    read = {"photo": photo, "labels": label_map, "instances": objects}
    sizes = {name: (array.shape[1], array.shape[0]) for name, array in read.items() if array is not None}
    size = sizes.get("photo", sizes.get("labels"))
    if sizes.get("labels", size) != size:
        found.problems.append(sizes_differ(pair, sizes["photo"], sizes["labels"]))
    elif size and sizes.get("instances", size) != size:
        found.problems.append(instances_differ(pair, sizes["instances"], size))
    shown: dict[int, int] = {}
    if label_map is not None:
        counts = np.bincount(label_map.ravel())
        shown = {int(id): int(counts[id]) for id in np.flatnonzero(counts)}
        found.doubts.extend(_doubts(pair, label_map, shown, label_set))
    content = ""
    if photo is not None:
        content = hashlib.sha256(photo.tobytes()).hexdigest()
        found.doubts.extend(_turned(pair))
    return Inspected(pair, found.problems, found.doubts, size, shown, content)


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


def _doubts(
    pair: Pair, label_map: np.ndarray, pixels: dict[int, int], label_set: LabelSet
) -> list[SpadeError]:
    doubts = []
    if in_between_share(label_map) > SMOOTHED:
        doubts.append(
            SpadeError(
                f"{pair.labels} has a fringe of other ids along its borders: it was scaled with smoothing.",
                "Make it anew from the original, without smoothing (nearest neighbour).",
            )
        )
    ignored = pixels.get(label_set.ignore_id, 0) if label_set.ignore_id not in _ids(label_set) else 0
    if ignored > 0.5 * label_map.size:
        doubts.append(
            SpadeError(
                f"{100 * ignored / label_map.size:.0f}% of {pair.labels} has no class.",
                "Label more of it, or leave the pair out: little is learned from it.",
            )
        )
    if label_set.name == "ade20k" and label_set.ignore_id in pixels and 0 not in pixels:
        doubts.append(
            SpadeError(
                f"{pair.labels} holds 255 and no 0: its ids look shifted by one (0 to 149, 255).",
                "Use the annotations as they come (0 is other, 1 is wall), or convert them by a table of ids.",
            )
        )
    return doubts


def _turned(pair: Pair) -> list[SpadeError]:
    with Image.open(pair.image) as photo:
        if photo.getexif().get(_ORIENTATION, 1) == 1:
            return []
    said = f"{pair.image} carries a note that it is to be turned; training takes it as it is stored."
    return [SpadeError(said, "Save photo and label map upright, without the note.")]


def _ids(label_set: LabelSet) -> set[int]:
    return {entry.id for entry in label_set.classes}


def _tried(found: Inspected, read):
    try:
        return read()
    except SpadeError as problem:
        found.problems.append(problem)
        return None
