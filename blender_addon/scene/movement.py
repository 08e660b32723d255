# SPDX-License-Identifier: GPL-3.0-or-later
"""Which things of a scene are not where they were at another frame: found by where all of them are at each."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any, TypeAlias

import bpy
import numpy as np

from .parts import Part, part_of
from .visible import is_backdrop

_NOTHING_SEEN = frozenset({"CAMERA", "LIGHT", "EMPTY", "LIGHT_PROBE", "SPEAKER", "ARMATURE", "LATTICE"})
_SAME = 1e-6
NOBODYS = 0
"""As a shape: what is there has none by which it could be followed."""


@dataclass(frozen=True, eq=False)
class Stand:
    """Where a part is. matrix: (4, 4) float64, to the world. shape: a number for its vertices."""

    matrix: np.ndarray
    shape: int


Stands: TypeAlias = dict[Part, Stand]
NOBODY = Stand(np.eye(4), NOBODYS)


@dataclass(frozen=True, eq=False)
class Moved:
    """A part that is elsewhere, or otherwise, than at rest. One that was not there then is at rest where it is."""

    part: Part
    now: Stand
    rest: Stand

    def to_facts(self) -> list[Any]:
        """As JSON takes it."""
        return [self.part, *([each.matrix.tolist(), each.shape] for each in (self.now, self.rest))]

    @classmethod
    def from_facts(cls, facts: list[Any]) -> Moved:
        """The inverse of `to_facts`."""
        (name, number), *stands = facts
        now, rest = (Stand(np.array(matrix), shape) for matrix, shape in stands)
        return cls((name, number), now, rest)


def stands(graph: bpy.types.Depsgraph) -> Stands:
    """Where all parts are that an evaluated scene shows."""
    found: Stands = {}
    shapes: dict[int, int] = {}
    for each in graph.object_instances:
        thing = each.object
        if thing is None or thing.original is None or thing.type in _NOTHING_SEEN:
            continue
        if is_backdrop(thing.original):
            continue
        part, data = part_of(each), thing.data
        pointer = data.as_pointer() if data is not None else 0
        if pointer not in shapes:  # many share one
            shapes[pointer] = _shape(data)
        stand = Stand(np.array(each.matrix_world), shapes[pointer])
        # Two copies of one number cannot be told apart: neither is followed.
        found[part] = stand if part not in found else Stand(stand.matrix, NOBODYS)
    return found


def moved_since(rest: Stands, now: Stands) -> tuple[Moved, ...]:
    """The parts that are elsewhere, or otherwise, than at rest, or were not there, or cannot be told apart."""
    return tuple(
        Moved(part, stand, rest.get(part, stand))
        for part, stand in now.items()
        if stand.shape == NOBODYS or part not in rest or not _is_like(stand, rest[part])
    )


def _is_like(stand: Stand, other: Stand) -> bool:
    return stand.shape == other.shape and bool(
        (np.abs(stand.matrix - other.matrix) <= _SAME * (1 + np.abs(other.matrix))).all()
    )


def _shape(data: bpy.types.ID | None) -> int:
    """A number for where the vertices of a mesh are, or the points of hair and of point clouds."""
    if isinstance(data, bpy.types.Mesh):
        spots = np.empty(3 * len(data.vertices), np.float32)
        owner, name = data.vertices, "co"
    elif (placed := getattr(data, "attributes", {}).get("position")) is not None:
        spots = np.empty(3 * len(placed.data), np.float32)
        owner, name = placed.data, "vector"
    else:
        return 1
    values: Any = spots  # a sequence to Blender, though not to its type stubs
    owner.foreach_get(name, values)
    return zlib.crc32(spots.tobytes()) | 1
