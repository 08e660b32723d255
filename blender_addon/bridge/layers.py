# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture taken apart into cards at several depths: which card shows what, found by depth alone.

The picture's own pixels lie on the card of their band. Each card goes on behind the nearer ones and beyond the frame,
where another painting fills it: of the same scene with the nearer things hidden, on a wider frame. A thing lies on one
card, also where its depth crosses a border.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .sight import Projector

OUTSIDE = 255
"""Owner of what the picture does not show."""
PAST_EVERYTHING = 1e5
"""Metres: what is farther is no surface."""
# What is nearer than the same pixel without the nearer things, by more than rounding, is one of them.
_NEARER = 0.999
# Of the picture's height: painted borders are softer than the blocks', so the nearer card takes so much more along.
_RIM = 0.004
# An outline is where what is behind is so many times as far.
_JUMP = 1.15
# Pixels that the picture's border goes on for: renderers look past the frame to filter it.
_MARGIN = 4
# How many times as far a card of nothing but sky is as the one before it.
_SKY = 4.0


@dataclass(frozen=True, eq=False)
class Layers:
    """The plan of some cards, the nearest first.

    projector: of the picture's frame. distances: how far ahead each stands, in metres.
    owner, reach: (h, w) uint8 of the canvas, which has the picture's pixels in its middle: which card, from 0, shows
    the picture there, or OUTSIDE; and a bit, 1 << number, for each card that goes on there behind nearer ones.
    behind: for each card the (H, W) label map, as large as the picture's and of all the canvas, that is painted for it:
    for the nearest what is beyond the frame. None where it would be nothing but sky, which no model paints well alone.
    """

    projector: Projector
    distances: tuple[float, ...]
    owner: np.ndarray
    reach: np.ndarray
    behind: tuple[np.ndarray | None, ...]

    def to_arrays(self) -> dict[str, np.ndarray]:
        """As files of arrays take it."""
        maps = {f"behind_{n}": each for n, each in enumerate(self.behind) if each is not None}
        facts = json.dumps({"projector": self.projector.to_facts(), "behind": len(self.behind)})
        return maps | {
            "owner": self.owner,
            "reach": self.reach,
            "distances": np.array(self.distances),
            "facts": np.frombuffer(facts.encode(), np.uint8),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Layers:
        """The inverse of `to_arrays`."""
        facts = json.loads(arrays["facts"].tobytes())
        names = [f"behind_{n}" for n in range(facts["behind"])]
        return cls(
            Projector.from_facts(facts["projector"]),
            tuple(arrays["distances"].tolist()),
            arrays["owner"],
            arrays["reach"],
            tuple(arrays[name] if name in arrays else None for name in names),
        )

    def alpha(self, number: int) -> np.ndarray:
        """(h, w) bool: where a card is opaque."""
        behind_nearer = (self.owner < number) | (self.owner == OUTSIDE)
        return (self.owner == number) | (behind_nearer & (self.reach >> number & 1).astype(bool))

    def is_like(self, other: Layers) -> bool:
        """Whether both take a picture apart in the same way."""
        if not self.projector.is_like(other.projector) or len(self.behind) != len(other.behind):
            return False
        pairs = [(self.owner, other.owner), (self.reach, other.reach)]
        pairs += list(zip(self.behind, other.behind, strict=True))
        return np.allclose(self.distances, other.distances, rtol=1e-4) and all(
            (ours is theirs) or (ours is not None and theirs is not None and np.array_equal(ours, theirs))
            for ours, theirs in pairs
        )

    @property
    def canvas(self) -> tuple[int, int]:
        """Its (height, width), in pixels."""
        height, width = self.owner.shape
        return height, width

    def margins(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """How far the canvas goes beyond a picture of (height, width), in rows and columns a side."""
        return (self.canvas[0] - shape[0]) // 2, (self.canvas[1] - shape[1]) // 2


def taken_apart(
    projector: Projector,
    depth: np.ndarray,
    depths_behind: list[np.ndarray],
    ends: tuple[float, ...],
    behind: tuple[np.ndarray | None, ...],
) -> Layers:
    """The plan for a picture of (H, W) metres `depth`.

    depths_behind: (h, w) metres on the canvas: all, without the things of the first band, of the first two, and so on.
    ends: how far the bands reach, but for the last. behind: as in `Layers`.
    """
    (height, width), canvas = depth.shape, depths_behind[0].shape
    top, left = (canvas[0] - height) // 2, (canvas[1] - width) // 2
    rim = round(_RIM * height)
    inside = (slice(top, top + height), slice(left, left + width))
    seen = _with_rim(_bands(depth, [each[inside] for each in depths_behind[1:]], ends), depth, rim)
    owner = np.full(canvas, OUTSIDE, np.uint8)
    margin = min(_MARGIN, top, left)
    around = (slice(top - margin, top + height + margin), slice(left - margin, left + width + margin))
    owner[around] = np.pad(seen, margin, mode="edge")
    reach = np.zeros(canvas, np.uint8)
    distances, last = [], len(ends)
    for number, depth_behind in enumerate(depths_behind):
        # Without the things of nearer bands: what is left of these is ground, which goes on below what stood on it.
        bands = _bands(depth_behind, depths_behind[number + 1 :], ends, number)
        bands = _with_rim(bands, depth_behind, rim)
        reach |= ((bands <= number) | (number == last)).astype(np.uint8) << number
        distances.append(_middle(depth[seen == number]) or _middle(depth_behind[bands == number]))
    return Layers(projector, _in_order(distances), owner, reach, behind)


def _bands(
    depth: np.ndarray, depths_without: list[np.ndarray], ends: tuple[float, ...], first: int = 0
) -> np.ndarray:
    """(h, w) uint8: in which band each pixel is; things wholly in their own, all else by its depth.

    depths_without: the same without the things of band `first`, then of the next one, too, and so on.
    """
    found = np.digitize(depth, ends).astype(np.uint8)
    for number, without in reversed(list(enumerate(depths_without, start=first))):
        found[depth < without * _NEARER] = number
    return found


def _with_rim(bands: np.ndarray, depth: np.ndarray, pixels: int) -> np.ndarray:
    """Bands that go on for some pixels beyond their outlines, where what is behind is much farther.

    Not where nearer ground meets what stands on it: that would lose its foot.
    """
    bands, depth = bands.copy(), depth.copy()
    for _ in range(pixels):
        for axis in (0, 1):
            for ahead, back in ((slice(1, None), slice(None, -1)), (slice(None, -1), slice(1, None))):
                here, there = (np.moveaxis(each, axis, 0) for each in (bands, depth))
                grows = (here[back] < here[ahead]) & (there[back] * _JUMP < there[ahead])
                here[ahead][grows], there[ahead][grows] = here[back][grows], there[back][grows]
    return bands


def _middle(depth: np.ndarray) -> float:
    """The median of what is a surface; 0 where nothing is."""
    surfaces = depth[depth < PAST_EVERYTHING]
    return float(np.median(surfaces)) if surfaces.size else 0.0


def _in_order(distances: list[float]) -> tuple[float, ...]:
    """Each farther than the one before, also where a band is empty or is all sky."""
    found = [distances[0] or min((each for each in distances if each), default=1.0) / _SKY]
    for each in distances[1:]:
        found.append(max(each or found[-1] * _SKY, found[-1] * 1.001))
    return tuple(found)
