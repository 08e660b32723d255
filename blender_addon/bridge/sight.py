# SPDX-License-Identifier: GPL-3.0-or-later
"""From where a picture is seen, as numbers: what a projector needs, frozen, so that no later move changes it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Projector:
    """A flat camera at one moment.

    rows: three of four numbers, world to camera (x right, y up, -z ahead), without the camera's scale.
    scale, center: of the frame, (x, y): a thing at (x, y, -z) is seen at scale * x / z + center, 0..1 from the left and
    from below. is_flat: an orthographic camera, which does not divide by z. is_around: a panoramic one, level: what it
    scales are the angles to the right and up, in radians, and ahead is as far as a thing is in any direction.
    """

    rows: tuple[tuple[float, ...], ...]
    scale: tuple[float, float]
    center: tuple[float, float]
    is_flat: bool = False
    is_around: bool = False

    def to_facts(self) -> dict:
        """As JSON takes it."""
        return asdict(self)

    @classmethod
    def from_facts(cls, facts: dict) -> Projector:
        """The inverse of `to_facts`."""
        rows = tuple(tuple(float(number) for number in row) for row in facts["rows"])
        scale, center = ((float(facts[name][0]), float(facts[name][1])) for name in ("scale", "center"))
        return cls(rows, scale, center, bool(facts["is_flat"]), bool(facts.get("is_around", False)))

    def is_like(self, other: Projector) -> bool:
        """Whether both see the same, but for rounding."""
        if (self.is_flat, self.is_around) != (other.is_flat, other.is_around):
            return False
        numbers = [np.concatenate([np.ravel(each.rows), each.scale, each.center]) for each in (self, other)]
        return bool(np.allclose(*numbers, rtol=1e-5, atol=1e-5))

    @property
    def place(self) -> np.ndarray:
        """(3,) float64: where it stands in the world."""
        rows = np.array(self.rows)
        return -rows[:, :3].T @ rows[:, 3]

    @property
    def backward(self) -> tuple[float, ...]:
        """The direction from what it sees to itself, where it is flat."""
        return self.rows[2][:3]

    def seen(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where (N, 3) points of the world are seen, (N, 2) from 0 to 1 inside the frame, and how far ahead, (N,)."""
        rows = np.array(self.rows)
        x, y, z = (points @ rows[:, :3].T + rows[:, 3]).T
        if self.is_around:
            angles = np.stack([np.arctan2(x, -z), np.arctan2(y, np.hypot(x, z))], axis=1)
            return angles * self.scale + self.center, np.sqrt(x * x + y * y + z * z)
        ahead = -z
        by = np.ones_like(ahead) if self.is_flat else np.where(ahead > 0, ahead, np.nan)
        return np.stack([x, y], axis=1) / by[:, None] * self.scale + self.center, ahead


@dataclass(frozen=True, eq=False)
class Sight:
    """What a picture's camera saw. depth: (H, W) float32, how far ahead the nearest thing is, row 0 at the top, None
    while it is being rendered.

    hidden: how many of the nearer bands of things were hidden for it (`scene/bands`); 0 where all was seen.
    """

    projector: Projector
    depth: np.ndarray | None = None
    hidden: int = 0


@dataclass(frozen=True)
class Standpoint:
    """A camera that is put into the scene when its picture lands, so that nothing can happen to it before.

    matrix: four rows of four numbers, camera to world. lens: its settings, by the names that Blender has for them.
    """

    matrix: tuple[tuple[float, ...], ...]
    lens: dict[str, Any]
