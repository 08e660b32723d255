# SPDX-License-Identifier: GPL-3.0-or-later
"""Where else the camera could have stood: views like the scene's own, above the ground and outside of things."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Matrix, Vector

from ..scene.view import camera_data, camera_of

TRIES = 48
YAW, PITCH = math.radians(32.0), math.radians(6.0)
ZOOM = 0.35
"""Focal lengths differ by a factor of up to exp(this)."""
HORIZON = 0.8
"""Where the horizon is in the scene's own picture, it stays within this much of the way to the upper and lower edge."""
_ACROSS, _DOWN = 11, 7
_AXES = [Vector(axis) for axis in ((1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1))]
_UP, _DOWNWARDS = _AXES[4], _AXES[5]


@dataclass(frozen=True)
class View:
    """Where a camera stands and looks (its world matrix), and how many times its focal length it has."""

    matrix: Matrix
    zoom: float = 1.0


@dataclass(frozen=True)
class Sight:
    """What a view has before it: distances of the rays that meet something, and the share of those that do."""

    distances: np.ndarray
    filled: float


class CameraSampler:
    """Samples views around that of the scene's camera. Raises NoCameraError.

    spread: how far the camera may go, in metres; 0 takes a third of the distance to what is in the middle of the view.
    """

    def __init__(self, scene: bpy.types.Scene, spread: float = 0.0) -> None:
        self._scene = scene
        camera = camera_of(scene)
        self._depsgraph = bpy.context.evaluated_depsgraph_get()
        self._camera = camera_data(camera)
        place, turn, _ = camera.matrix_world.decompose()
        self._home = View(Matrix.LocRotScale(place[:], turn, None))
        sight = self._sight(self._home)
        seen = sight.distances if sight.distances.size else np.array([10.0])
        self.spread = spread or float(np.median(seen)) / 3.0
        self._near = 0.5 * float(np.quantile(seen, 0.05))
        self._filled = sight.filled
        ground, ceiling = self._ground_before(place, turn.to_matrix()), self._hit(place, _UP)
        self._height = None if ground is None else place.z - ground.z
        self._headroom = math.inf if ceiling is None else ceiling.z - place.z

    def _ground_before(self, place: Vector, turn: Matrix) -> Vector | None:
        """Under the camera, or under a place a little before it: many a scene begins only there."""
        forward = turn @ Vector((0.0, 0.0, -1.0))
        for share in (0.0, 0.1, 0.3, 1.0):
            step = Vector((forward.x, forward.y, 0.0)) * self.spread * share
            if (ground := self._hit(place + step, _DOWNWARDS)) is not None:
                return ground
        return None

    def sample(self, random: np.random.Generator) -> View:
        """Another view; nearer to the scene's own where far ones will not do, at last that one itself."""
        for attempt in range(TRIES):
            candidate = self._candidate(random, 1.0 - attempt / TRIES)
            if candidate is not None and self._is_plausible(candidate):
                return candidate
        return self._home

    def _candidate(self, random: np.random.Generator, reach: float) -> View | None:
        radius, angle = self.spread * reach * math.sqrt(random.random()), math.tau * random.random()
        yaw, pitch, zoom, rise = (float(random.uniform(-1.0, 1.0)) * reach for _ in range(4))
        home = self._home.matrix
        place = home.translation + Vector((radius * math.cos(angle), radius * math.sin(angle), 0.0))
        height = self._height_at(place, rise)
        if height is None:
            return None
        place.z = height
        turn = Matrix.Rotation(YAW * yaw, 3, "Z") @ home.to_3x3() @ Matrix.Rotation(PITCH * pitch, 3, "X")
        return View(Matrix.Translation(place[:]) @ turn.to_4x4(), math.exp(ZOOM * zoom))

    def _height_at(self, place: Vector, rise: float) -> float | None:
        """As high above the ground as at home, more or less; None where there is no ground though home has one."""
        if self._height is None:
            return place.z + 0.1 * self.spread * rise
        above = place + _UP * min(self.spread, 0.9 * self._headroom)
        ground = self._hit(above, _DOWNWARDS)
        if ground is None:
            return None
        height = self._height * math.exp(0.6 * rise)
        return min(ground.z + height, self._home.matrix.translation.z + 0.9 * self._headroom)

    def _is_plausible(self, view: View) -> bool:
        if not self._is_outside(view.matrix.translation) or not self._keeps_horizon(view):
            return False
        sight = self._sight(view)
        blocked = float(np.mean(sight.distances < self._near)) if sight.distances.size else 0.0
        return blocked < 0.15 and sight.filled >= 0.75 * self._filled

    def _is_outside(self, place: Vector) -> bool:
        """Not in the ground and in nothing else: who is inside of a thing sees its faces from behind."""
        behind = 0
        for axis in _AXES:
            found, point, normal, _, _, _ = self._scene.ray_cast(self._depsgraph, place, axis)
            if not found:
                continue
            from_behind = normal.dot(axis) > 0.0
            if from_behind and axis is _UP:
                return False
            if axis is not _DOWNWARDS and (point - place).length < 0.5 * self._near:
                return False
            behind += from_behind
        return behind < 2

    def _keeps_horizon(self, view: View) -> bool:
        if self._camera.type != "PERSP":
            return True
        edge = self._half_height()
        at_home = math.tan(_elevation(self._home)) / edge
        if abs(at_home) > HORIZON:
            return True
        return abs(math.tan(_elevation(view)) * view.zoom / edge) <= HORIZON

    def _half_height(self) -> float:
        corners = self._camera.view_frame(scene=self._scene)
        return max(abs(corner.y / corner.z) for corner in corners)

    def _sight(self, view: View) -> Sight:
        distances = []
        rays = list(self._rays(view))
        for origin, direction in rays:
            point = self._hit(origin, direction)
            if point is not None:
                distances.append((point - origin).length)
        return Sight(np.array(distances), len(distances) / len(rays))

    def _rays(self, view: View) -> Iterator[tuple[Vector, Vector]]:
        """Through the middles of a grid over the picture; all around for a panorama."""
        place, turn = view.matrix.translation, view.matrix.to_3x3()
        if self._camera.type == "PANO":
            yield from ((place, axis) for axis in _AXES)
            return
        corners = self._camera.view_frame(scene=self._scene)
        left, right = min(c.x for c in corners), max(c.x for c in corners)
        bottom, top = min(c.y for c in corners), max(c.y for c in corners)
        for row in range(_DOWN):
            for column in range(_ACROSS):
                x = left + (right - left) * (column + 0.5) / _ACROSS
                y = bottom + (top - bottom) * (row + 0.5) / _DOWN
                offset = Vector((x / view.zoom, y / view.zoom, 0.0))
                if self._camera.type == "ORTHO":
                    yield place + turn @ offset, (turn @ Vector((0.0, 0.0, -1.0))).normalized()
                else:
                    yield place, (turn @ (offset + Vector((0.0, 0.0, corners[0].z)))).normalized()

    def _hit(self, origin: Vector, direction: Vector) -> Vector | None:
        found, point, *_ = self._scene.ray_cast(self._depsgraph, origin, direction)
        return point if found else None


def _elevation(view: View) -> float:
    """How far above level a view looks, in radians."""
    forward = view.matrix.to_3x3() @ Vector((0.0, 0.0, -1.0))
    return math.asin(max(-1.0, min(1.0, forward.z)))
