# SPDX-License-Identifier: GPL-3.0-or-later
"""The shape of the example valley: the lie of the land, the river, the path and the ridges.

Metres; the camera stands near the origin and looks along +y; z = 0 is the water.
"""

from __future__ import annotations

from collections.abc import Callable

import bpy
import numpy as np

Array = np.ndarray


def noise(x: Array, y: Array, size: float, seed: int, octaves: int = 4) -> Array:
    """Smooth noise in about -1..1 with features of `size` metres; the same everywhere for the same seed."""
    total, weight = np.zeros(np.broadcast(x, y).shape), 0.0
    for octave in range(octaves):
        strength = 0.5**octave
        total += strength * _lattice(x * 2**octave / size, y * 2**octave / size, seed + octave)
        weight += strength
    return total / weight


def river_x(y: Array) -> Array:
    """Where the middle of the river runs."""
    return 5.0 + 16.0 * np.sin(y / 42.0 + 0.15) * np.clip(y / 60.0, 0.25, 1.6) + 0.02 * y


def river_half_width(y: Array) -> Array:
    return 5.5 + 0.028 * y


def path_x(y: Array) -> Array:
    """Where the middle of the path runs, on the river's left bank."""
    return river_x(y) - river_half_width(y) - 9.0 - 7.0 * np.sin(y / 27.0 + 1.1) - 0.05 * y


def land_height(x: Array, y: Array) -> Array:
    """Height of the valley's ground: a bed below the water, low banks, meadows, slopes to both sides."""
    bank = np.abs(x - river_x(y)) - river_half_width(y)
    meadow = 1.1 * _smooth(bank / 5.0) + 0.035 * np.maximum(bank, 0.0)
    slope = 0.0042 * np.maximum(bank - 16.0, 0.0) ** 1.75
    rolling = noise(x, y, 46.0, 3) * np.clip(bank / 14.0, 0.0, 1.0) * 2.4
    return np.where(bank < 0.0, np.maximum(bank, -2.5) * 0.5, meadow + slope + rolling)


def land(name: str) -> bpy.types.Mesh:
    """The valley's ground, fine before the camera and coarse far off."""
    along = np.geomspace(12.0, 660.0, 150) - 16.0
    across = np.linspace(-1.0, 1.0, 141)
    y = np.repeat(along[:, None], across.size, axis=1)
    x = across[None, :] * (26.0 + 0.95 * np.maximum(y, 0.0)) + 0.12 * y
    return grid_mesh(name, x, y, land_height(x, y))


def ribbon(
    name: str, center: Callable[[Array], Array], half_width: Callable[[Array], Array], far: float, lift: float
) -> bpy.types.Mesh:
    """A strip of ground along a line, laid `lift` over the land or, with no lift, flat on the water."""
    y = np.geomspace(12.0, far + 16.0, 140)[:, None] - 16.0
    sides = np.linspace(-1.0, 1.0, 7)[None, :]
    x = center(y) + sides * half_width(y)
    # Its edges go into the ground: a strip that hovers shows a shadow under its rim.
    z = land_height(x, y) + np.where(np.abs(sides) < 1.0, lift, -lift) if lift else np.zeros_like(x)
    return grid_mesh(name, x, np.broadcast_to(y, x.shape), z)


def ridge(
    name: str, span: tuple[float, float], y: tuple[float, float], height: float, seed: int, snow_line: float
) -> bpy.types.Mesh:
    """Mountains from `span[0]` to `span[1]`, their feet at `y`; the second material above the snow line."""
    across, deep = np.linspace(0.0, 1.0, 72), np.linspace(0.0, 1.0, 18)
    t, s = np.meshgrid(across, deep)
    px, py = span[0] + t * (span[1] - span[0]), y[0] + s * (y[1] - y[0])
    size = (span[1] - span[0]) / 4.5
    px = px + noise(px, py, size / 6, seed + 20, 1) * size * 0.05
    crest = 0.62 + 0.55 * noise(px, 0.0 * px, size, seed, 3)
    profile = np.sin(np.pi * np.clip(s, 0.0, 1.0)) ** 0.9
    ends = np.clip(np.minimum(t, 1.0 - t) * 5.0, 0.0, 1.0) ** 0.7
    crags = 1.0 + 0.42 * noise(px, py, size / 3, seed + 7, 3)
    z = height * np.maximum(crest, 0.12) * profile * ends * crags - 3.0
    mesh = grid_mesh(name, px, py, z, triangles=True)
    center = np.array([polygon.center for polygon in mesh.polygons])
    ragged = snow_line + 0.1 * height * noise(center[:, 0], center[:, 1], size / 8, seed + 40, 2)
    mesh.polygons.foreach_set("material_index", (center[:, 2] > ragged).astype(np.int32))
    return mesh


def grid_mesh(name: str, x: Array, y: Array, z: Array, triangles: bool = False) -> bpy.types.Mesh:
    """A mesh over a grid of points, arrays of one shape (rows, columns)."""
    rows, columns = x.shape
    corner = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = corner[:-1, :-1], corner[:-1, 1:], corner[1:, 1:], corner[1:, :-1]
    if triangles:
        faces = np.concatenate(
            [np.stack((a, b, c), -1).reshape(-1, 3), np.stack((a, c, d), -1).reshape(-1, 3)]
        )
    else:
        faces = np.stack((a, b, c, d), -1).reshape(-1, 4)
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(np.stack((x, y, z), -1).reshape(-1, 3).tolist(), [], faces.tolist())
    mesh.update()
    return mesh


def _smooth(t: Array) -> Array:
    t = np.clip(t, 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def _lattice(x: Array, y: Array, seed: int) -> Array:
    """Value noise: random numbers on whole coordinates, smooth in between."""
    left, low = np.floor(x), np.floor(y)
    u, v = _smooth(x - left), _smooth(y - low)

    def corner(dx: int, dy: int) -> Array:
        phase = (left + dx) * 127.1 + (low + dy) * 311.7 + seed * 74.7
        return 2.0 * np.modf(np.abs(np.sin(phase) * 43758.5453))[0] - 1.0

    near = corner(0, 0) * (1.0 - u) + corner(1, 0) * u
    far = corner(0, 1) * (1.0 - u) + corner(1, 1) * u
    return near * (1.0 - v) + far * v
