# SPDX-License-Identifier: GPL-3.0-or-later
"""Which things of a scene are not where they were at another frame: found by where all of them are at each."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np

from .visible import is_backdrop

_NOTHING_SEEN = frozenset({"CAMERA", "LIGHT", "EMPTY", "LIGHT_PROBE", "SPEAKER", "ARMATURE", "LATTICE"})
_SAME = 1e-6


@dataclass(frozen=True, eq=False)
class Stand:
    """Where a thing is. matrices: (N, 4, 4) float64, of all its copies. shape: a number for its vertices, 0 where they
    are not looked at. is_single: whether it is there itself, and once."""

    matrices: np.ndarray
    shape: int
    is_single: bool

    def is_like(self, other: Stand) -> bool:
        return (
            self.shape == other.shape
            and self.matrices.shape == other.matrices.shape
            and bool(np.allclose(self.matrices, other.matrices, rtol=_SAME, atol=_SAME))
        )


@dataclass(frozen=True, eq=False)
class Moved:
    """A thing that is elsewhere than at rest. name: full, of the object. now, rest: (4, 4), to the world. is_rigid:
    whether the way from one to the other is all of its motion."""

    name: str
    now: np.ndarray
    rest: np.ndarray
    is_rigid: bool

    def to_facts(self) -> list[Any]:
        """As JSON takes it."""
        return [self.name, self.now.tolist(), self.rest.tolist(), self.is_rigid]

    @classmethod
    def from_facts(cls, facts: list[Any]) -> Moved:
        """The inverse of `to_facts`."""
        return cls(facts[0], np.array(facts[1]), np.array(facts[2]), facts[3])


def stands(graph: bpy.types.Depsgraph) -> dict[str, Stand]:
    """Where all things are that an evaluated scene shows, by the full names of their objects."""
    matrices: dict[str, list[np.ndarray]] = {}
    shapes: dict[str, int] = {}
    copied: set[str] = set()
    for each in graph.object_instances:
        thing = each.object
        original = thing.original if thing is not None else None
        if thing is None or original is None or thing.type in _NOTHING_SEEN or is_backdrop(original):
            continue
        name = original.name_full
        matrices.setdefault(name, []).append(np.array(each.matrix_world))
        if each.is_instance:
            copied.add(name)
        if name not in shapes:
            shapes[name] = _shape(thing)
    return {
        name: Stand(np.array(found), shapes[name], len(found) == 1 and name not in copied)
        for name, found in matrices.items()
    }


def moved_since(rest: dict[str, Stand], now: dict[str, Stand]) -> tuple[Moved, ...]:
    """The things that are elsewhere, or otherwise, than at rest; one that was not there then is at rest from now on."""
    found = []
    for name, stand in now.items():
        before = rest.setdefault(name, stand)
        if stand is not before and not stand.is_like(before):
            is_rigid = stand.is_single and before.is_single and stand.shape == before.shape
            found.append(Moved(name, stand.matrices[0], before.matrices[0], is_rigid))
    return tuple(found)


def _shape(thing: bpy.types.Object) -> int:
    mesh = thing.data
    if not isinstance(mesh, bpy.types.Mesh):
        return 0
    spots = np.empty(3 * len(mesh.vertices), np.float32)
    values: Any = spots  # a sequence to Blender, though not to its type stubs
    mesh.vertices.foreach_get("co", values)
    return zlib.crc32(spots.tobytes())
