# SPDX-License-Identifier: GPL-3.0-or-later
"""What a camera saw at one frame, and where other frames' pixels are in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ..bridge.sight import Projector
from ..picture_folder import digest_of
from ..scene.movement import NOBODYS, Moved
from ..scene.parts import Part

FAR = 1e5
"""Metres: what is past everything turns with the camera, and hardly moves with it."""
_CLOSE = 0.03
"""How much of its distance a point may be off the depth of a pixel that shows it."""
_RIM, _NEARER = 4, 0.85
"""Pixels, and of the distance: so close around things so much nearer their rims may be painted."""


@dataclass(frozen=True, eq=False)
class View:
    """labels: (H, W) ids. depth: (H, W) float32, metres ahead. things: (H, W) uint32, which of the `parts` each pixel
    shows, counted from 1; 0 where it is none. moved: those of the parts that are not at rest.
    """

    projector: Projector
    labels: np.ndarray
    depth: np.ndarray
    things: np.ndarray
    parts: tuple[Part, ...] = ()
    moved: Mapping[Part, Moved] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int]:
        height, width = self.labels.shape
        return height, width

    def digest(self) -> str:
        """SHA-256 of all that is seen; things at rest are no more than their labels and depths."""
        moved = sorted(self.moved)
        numbers = self.numbered({part: number for number, part in enumerate(moved, start=1)})
        return digest_of(
            self.projector, self.labels, self.depth, numbers, [self.moved[part] for part in moved]
        )

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

    def numbered(self, numbers: Mapping[Part, int]) -> np.ndarray:
        """(H * W,) int32: the numbers of the parts that pixels show, 0 for parts without one."""
        by_place = np.array([0, *(numbers.get(part, 0) for part in self.parts)], np.int32)
        return by_place[self.things.ravel()]

    def way_to(self, other: View, part: Part) -> np.ndarray:
        """(4, 4): what brings the points of a part of this view to where they are in the other one.

        NaN where nobody knows: where it has another shape there.
        """
        here, there = self.moved.get(part), other.moved.get(part)
        assert here or there
        now = here.now if here else there.rest  # pyright: ignore[reportOptionalMemberAccess]
        then = there.now if there else here.rest  # pyright: ignore[reportOptionalMemberAccess]
        if now.shape != then.shape or NOBODYS in (now.shape, then.shape):
            return np.full((4, 4), np.nan)
        return then.matrix @ np.linalg.inv(now.matrix)

    def where(
        self,
        points: np.ndarray,
        labels: np.ndarray,
        in_rims: np.ndarray,
        numbers: np.ndarray,
        shown: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Which of (N, 3) points are seen here, (N,) bool, and where, (N, 2) in pixels from the upper left's middle.

        labels, numbers: (N,) of what class each is, and of which part, by the numbers of those that are `shown`,
        (H * W,). in_rims: (N,) which are in a rim where they come from: what is in one here is nothing to others, or
        rims would stay behind as things move on.
        """
        height, width = self.shape
        with np.errstate(invalid="ignore"):
            spots, ahead = self.projector.seen(points)
            x, y = spots[:, 0] * width - 0.5, (1.0 - spots[:, 1]) * height - 0.5
            inside = (ahead > 0) & (x > -0.5) & (x < width - 0.5) & (y > -0.5) & (y < height - 0.5)
        x, y = np.where(inside, x, 0.0), np.where(inside, y, 0.0)
        left, top = np.floor(x).astype(np.int32), np.floor(y).astype(np.int32)
        depth, classes = self.depth.ravel(), self.labels.ravel()
        nearest, farthest = np.full(len(x), np.inf, np.float32), np.zeros(len(x), np.float32)
        for down in (0, 1):
            row = np.clip(top + down, 0, height - 1) * width
            for right in (0, 1):
                at = row + np.clip(left + right, 0, width - 1)
                alike = (classes[at] == labels) & (shown[at] == numbers)
                there = np.minimum(depth[at], FAR)
                nearest = np.where(alike, np.minimum(nearest, there), nearest)
                farthest = np.where(alike, np.maximum(farthest, there), farthest)
        at = np.rint(y).astype(np.int32) * width + np.rint(x).astype(np.int32)
        seen = inside & (classes[at] == labels) & (shown[at] == numbers)
        seen &= in_rims | ~self.rims.ravel()[at]
        seen &= (ahead > nearest * (1 - _CLOSE)) & (ahead < farthest * (1 + _CLOSE))
        return seen, np.stack([x, y], axis=1)
