# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a scene is one thing that may move: an object, or each copy of one by instancing.

A label pass tells objects apart by their pass indices, and copies of one by the number that Cycles gives each, which
stays the same from frame to frame.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import bpy
import numpy as np

Part: TypeAlias = tuple[str, float]
"""Full name of an object; the number of its copy, 0 to 1, and 0 for the object where it stands itself."""


@dataclass(frozen=True)
class Apart:
    """What is to be told apart: all objects, and these copies of them, numbers by full name. first: the names of those
    objects that matter, where a file has more than there are pass indices.
    """

    copies: Mapping[str, set[float]]
    first: Sequence[str] = ()

    @classmethod
    def among(cls, parts: Iterable[Part], first: Iterable[Part]) -> Apart:
        """All of these parts, some of them first."""
        copies: defaultdict[str, set[float]] = defaultdict(set)
        for name, number in parts:
            if number:
                copies[name].add(number)
        return cls(dict(copies), list(dict.fromkeys(name for name, _ in first)))


def part_of(instance: bpy.types.DepsgraphObjectInstance) -> Part:
    """Which part an instance of an evaluated scene is."""
    original = instance.object.original if instance.object is not None else None
    assert original is not None
    number = (instance.random_id & 0xFFFFFFFF) if instance.is_instance else 0
    return original.name_full, float(np.float32(number) / np.float32(2**32))


def parts_in(
    things: np.ndarray, numbers: np.ndarray, names: Mapping[int, str], apart: Apart
) -> tuple[np.ndarray, tuple[Part, ...]]:
    """(H, W) uint32, which part each pixel shows, counted from 1, 0 for none that is told apart; and these parts.

    things: (H, W) pass indices; numbers: (H, W) float32, those of Cycles; names: of the objects, by index.
    """
    bits = np.ascontiguousarray(numbers, np.float32).view(np.uint32).astype(np.uint64)
    pairs = things.astype(np.uint64) << np.uint64(32) | bits
    seen, places = np.unique(pairs.ravel(), return_inverse=True)
    seen_things = (seen >> np.uint64(32)).tolist()
    seen_numbers = seen.astype(np.uint32).view(np.float32).tolist()
    parts: dict[Part, int] = {}
    found = np.zeros(len(seen), np.uint32)
    for row, (index, number) in enumerate(zip(seen_things, seen_numbers, strict=True)):
        name = names.get(index)
        if name is not None:
            part = name, number if number in apart.copies.get(name, ()) else 0.0
            found[row] = parts.setdefault(part, len(parts) + 1)
    return found[places.ravel()].reshape(things.shape), tuple(parts)
