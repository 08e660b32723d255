# SPDX-License-Identifier: GPL-3.0-or-later
"""The blocks of the example valley, in metres: lollipop trees, boulders, a house, clouds."""

from __future__ import annotations

import bmesh
import numpy as np
from bmesh.types import BMesh
from mathutils import Matrix


def pine() -> tuple[BMesh, BMesh]:
    """Crown and trunk of a conifer: two cones on a stick, 9 m high."""
    crown = bmesh.new()
    for radius, low, high in ((2.4, 1.6, 6.0), (1.7, 4.2, 9.0)):
        _cone(crown, 9, radius, 0.0, low, high)
    return crown, _trunk(0.3, 2.0)


def broadleaf() -> tuple[BMesh, BMesh]:
    """Crown and trunk of a broadleaf tree: a ball on a stick, 8 m high."""
    crown = bmesh.new()
    _ball(crown, Matrix.Translation((0.0, 0.0, 5.2)), (2.9, 2.9, 2.7))
    return crown, _trunk(0.4, 3.1)


def boulder(radius: float, random: np.random.Generator) -> BMesh:
    """A lump with dents."""
    lump = bmesh.new()
    _ball(lump, Matrix.Identity(4), (radius, radius, radius))
    for vertex in lump.verts:
        vertex.co *= 1.0 + 0.18 * float(random.uniform(-1.0, 1.0))
    return lump


def house() -> tuple[BMesh, BMesh]:
    """Walls and gabled roof of a cottage of 9 by 6 m."""
    walls, roof = bmesh.new(), bmesh.new()
    bmesh.ops.create_cube(walls, matrix=Matrix.LocRotScale((0.0, 0.0, 1.4), None, (9.0, 6.0, 4.4)))
    eaves = [roof.verts.new((x * 5.1, y * 3.7, 3.5)) for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    left, right = (roof.verts.new((x * 5.1, 0.0, 6.6)) for x in (-1, 1))
    front_left, front_right, back_right, back_left = eaves
    roof.faces.new((front_left, front_right, right, left))
    roof.faces.new((back_right, back_left, left, right))
    roof.faces.new((front_right, back_right, right))
    roof.faces.new((back_left, front_left, left))
    roof.faces.new(tuple(reversed(eaves)))
    return walls, roof


def cloud(width: float, random: np.random.Generator) -> BMesh:
    """A row of flat lumps, large in the middle."""
    puffs = bmesh.new()
    lumps = int(random.integers(4, 8))
    for lump in range(lumps):
        along = (lump + float(random.uniform(-0.3, 0.3))) / (lumps - 1) * 2.0 - 1.0
        size = float(random.uniform(0.6, 1.2)) * (1.0 - 0.45 * abs(along)) * width
        _ball(
            puffs,
            Matrix.Translation((along * 0.55 * width, 0.0, 0.06 * size)),
            (0.34 * size, 0.2 * width, 0.13 * size),
        )
    return puffs


def _trunk(radius: float, top: float) -> BMesh:
    trunk = bmesh.new()
    _cone(trunk, 7, radius, 0.8 * radius, -0.5, top)
    return trunk


def _cone(shape: BMesh, sides: int, radius: float, radius_top: float, low: float, high: float) -> None:
    at = Matrix.Translation((0.0, 0.0, (low + high) / 2.0))
    bmesh.ops.create_cone(
        shape, cap_ends=True, segments=sides, radius1=radius, radius2=radius_top, depth=high - low, matrix=at
    )


def _ball(shape: BMesh, at: Matrix, radii: tuple[float, float, float]) -> None:
    bmesh.ops.create_icosphere(shape, subdivisions=2, radius=1.0, matrix=at @ Matrix.Diagonal((*radii, 1.0)))
