# SPDX-License-Identifier: GPL-3.0-or-later
"""What a camera saw at one frame, and where other frames' pixels are in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ..bridge.sight import Projector
from ..picture_folder import digest_of

FAR = 1e5
"""Metres: what is past everything turns with the camera, and hardly moves with it."""
_CLOSE = 0.03
"""How much of its distance a point may be off the depth of a pixel that shows it."""
_RIM, _NEARER = 4, 0.85
"""Pixels, and of the distance: so close around things so much nearer their rims may be painted."""


@dataclass(frozen=True, eq=False)
class Pose:
    """A thing that moves: where it is now and where it was at rest, (4, 4) each, to the world.

    is_rigid: whether it kept its shape, and is there once, so that its own motion is known.
    """

    now: np.ndarray
    rest: np.ndarray
    is_rigid: bool


@dataclass(frozen=True, eq=False)
class View:
    """labels: (H, W) ids. depth: (H, W) float32, metres ahead. things: (H, W) uint16, which of the things that move
    each pixel shows, a place in `names` plus 1; 0 what is at rest. poses: of these things, by name.
    """

    projector: Projector
    labels: np.ndarray
    depth: np.ndarray
    things: np.ndarray
    names: tuple[str, ...] = ()
    poses: dict[str, Pose] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int]:
        height, width = self.labels.shape
        return height, width

    def digest(self) -> str:
        """SHA-256 of all that is seen."""
        poses = [(name, self.poses[name]) for name in self.names]
        return digest_of(self.projector, self.labels, self.depth, self.things, poses)

    def points(self, pixels: np.ndarray) -> np.ndarray:
        """(N, 3) float64: where in the world the surfaces are that pixels, (N,) places in the flat map, show."""
        height, width = self.shape
        row, column = np.divmod(pixels, width)
        ahead = np.minimum(self.depth.ravel()[pixels].astype(np.float64), FAR)
        by = 1.0 if self.projector.is_flat else ahead
        (scale_x, scale_y), (center_x, center_y) = self.projector.scale, self.projector.center
        x = ((column + 0.5) / width - center_x) / scale_x * by
        y = (1.0 - (row + 0.5) / height - center_y) / scale_y * by
        rows = np.array(self.projector.rows)
        return (np.stack([x, y, -ahead], axis=1) - rows[:, 3]) @ rows[:, :3]

    @cached_property
    def rims(self) -> np.ndarray:
        """(H, W) bool: what lies behind the border of something nearer, where its rim may be painted."""
        far = np.minimum(self.depth, FAR)
        near = far
        for axis in (0, 1):
            wide = [(_RIM, _RIM) if each == axis else (0, 0) for each in (0, 1)]
            padded, count = np.pad(near, wide, mode="edge"), near.shape[axis]
            steps = range(2 * _RIM + 1)
            near = np.min([np.take(padded, range(step, step + count), axis) for step in steps], axis=0)
        return near < _NEARER * far

    def pose_of(self, name: str, known: Pose) -> np.ndarray | None:
        """Where a thing is here, (4, 4); None where nobody knows. known: what another frame says of it."""
        pose = self.poses.get(name)
        if pose is None:
            return known.rest
        return pose.now if pose.is_rigid else None

    def where(
        self, points: np.ndarray, labels: np.ndarray, in_rims: np.ndarray, thing: int = 0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Which of (N, 3) points are seen here, (N,) bool, and where, (N, 2) in pixels from the upper left's middle.

        labels: (N,) what class each is of; thing: which of the things of this view. in_rims: (N,) which are in a rim
        where they come from: what is in one here is nothing to others, or rims would stay behind as things move on.
        """
        height, width = self.shape
        with np.errstate(invalid="ignore"):
            spots, ahead = self.projector.seen(points)
            x, y = spots[:, 0] * width - 0.5, (1.0 - spots[:, 1]) * height - 0.5
            inside = (ahead > 0) & (x > -0.5) & (x < width - 0.5) & (y > -0.5) & (y < height - 0.5)
        x, y = np.where(inside, x, 0.0), np.where(inside, y, 0.0)
        left, top = np.floor(x).astype(np.int32), np.floor(y).astype(np.int32)
        depth, classes, things = self.depth.ravel(), self.labels.ravel(), self.things.ravel()
        nearest, farthest = np.full(len(x), np.inf, np.float32), np.zeros(len(x), np.float32)
        for down in (0, 1):
            row = np.clip(top + down, 0, height - 1) * width
            for right in (0, 1):
                at = row + np.clip(left + right, 0, width - 1)
                alike = (classes[at] == labels) & (things[at] == thing)
                there = np.minimum(depth[at], FAR)
                nearest = np.where(alike, np.minimum(nearest, there), nearest)
                farthest = np.where(alike, np.maximum(farthest, there), farthest)
        at = np.rint(y).astype(np.int32) * width + np.rint(x).astype(np.int32)
        seen = inside & (classes[at] == labels) & (things[at] == thing)
        seen &= in_rims | ~self.rims.ravel()[at]
        seen &= (ahead > nearest * (1 - _CLOSE)) & (ahead < farthest * (1 + _CLOSE))
        return seen, np.stack([x, y], axis=1)
