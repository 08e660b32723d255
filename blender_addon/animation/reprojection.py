# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames out of the pictures of other frames: every pixel from the one that first painted what it shows.

All is taken from the frames as they were painted, never from what was itself taken: so nothing blurs. What no frame has
seen is left to be painted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from .views import View

_AROUND = tuple((down, right) for down in (-1, 0, 1) for right in (-1, 0, 1) if down or right)
_MOST_AROUND = 5
"""Of the eight pixels around one that nothing is known of: from so many of its class it takes their mean."""
_LITTLE = 0.0005
"""Of a frame: so little is not painted, it takes the colours around it."""
_SOFT = 2
"""Pixels to each side over which what is known goes over into what is painted anew."""


@dataclass(frozen=True, eq=False)
class Source:
    """A frame that others take from. rgb: (H, W, 3) uint8."""

    frame: int
    view: View
    rgb: np.ndarray


@dataclass(frozen=True, eq=False)
class Known:
    """What of a frame other frames know. rgb: (H, W, 3) float32, 0..255. is_known: (H, W) bool.

    taken: from each source frame, how many pixels.
    """

    rgb: np.ndarray
    is_known: np.ndarray
    taken: dict[int, int]

    @property
    def unknown(self) -> float:
        """The share that is to be painted, 0..1."""
        return 1.0 - float(self.is_known.mean())

    def painted(self, rgb: np.ndarray | None) -> np.ndarray:
        """(H, W, 3) uint8: the frame, with what is unknown from its own painting, (H, W, 3) uint8."""
        if rgb is None:
            return _bytes(self.rgb)
        share = _soft(self.is_known)[..., None]
        return _bytes(share * self.rgb + (1.0 - share) * rgb)


def known_of(view: View, sources: Iterable[Source]) -> Known:
    """What these frames know of another one, the first that knows a pixel counting."""
    height, width = view.shape
    rgb, is_known = np.zeros((height * width, 3), np.float32), np.zeros(height * width, bool)
    taken = {}
    for source in sources:
        left = np.flatnonzero(~is_known)
        if not left.size:
            break
        found, colors = taken_from(source, view, left)
        rgb[found], is_known[found] = colors, True
        if found.size:
            taken[source.frame] = int(found.size)
    for _ in range(2):
        _close(rgb, is_known, view, _MOST_AROUND)
    return Known(rgb.reshape(height, width, 3), is_known.reshape(height, width), taken)


def without_slivers(known: Known, view: View) -> Known:
    """The same with all known, where so little is not that nobody would see it painted."""
    if not 0 < known.unknown <= _LITTLE:
        return known
    rgb, is_known = known.rgb.reshape(-1, 3).copy(), known.is_known.ravel().copy()
    for _ in range(max(view.shape)):
        if not _close(rgb, is_known, view, 1) and not _close(rgb, is_known, view, 1, same=False):
            break
    return Known(rgb.reshape(known.rgb.shape), is_known.reshape(view.shape), known.taken)


def faded(known: Known, view: View, key: Source, share: float) -> Known:
    """The same going over into a frame to come, by a share of 0 to 1; what only that one knows is its own."""
    height, width = view.shape
    rgb, is_known = known.rgb.reshape(-1, 3).copy(), known.is_known.ravel().copy()
    found, colors = taken_from(key, view, np.arange(height * width))
    weight = np.where(is_known[found], np.float32(share), np.float32(1.0))[:, None]
    rgb[found] += weight * (colors - rgb[found])
    is_known[found] = True
    return Known(rgb.reshape(height, width, 3), is_known.reshape(height, width), known.taken)


def taken_from(source: Source, view: View, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which of a view's pixels, places in the flat map, a frame has seen, and their colours, (N, 3) float32.

    Things that move, and copies of things, are followed by their own motion; those of another shape are nobody's.
    """
    movers = [*view.moved, *(part for part in source.view.moved if part not in view.moved)]
    numbers = {part: number for number, part in enumerate(movers, start=1)}
    parts, points = view.numbered(numbers)[pixels], view.points(pixels)
    moving = np.flatnonzero(parts)
    if moving.size:
        ways = np.stack([view.way_to(source.view, part) for part in movers])[parts[moving] - 1]
        points[moving] = np.einsum("nij,nj->ni", ways[:, :3, :3], points[moving]) + ways[:, :3, 3]
    seen, spots = source.view.where(
        points, view.labels.ravel()[pixels], view.rims.ravel()[pixels], parts, source.view.numbered(numbers)
    )
    return pixels[seen], bicubic(source.rgb, spots[seen])


def bicubic(rgb: np.ndarray, spots: np.ndarray) -> np.ndarray:
    """(N, 3) float32, 0..255: a picture, (H, W, 3) uint8, between its pixels, at (N, 2) x and y."""
    height, width, _ = rgb.shape
    flat = rgb.reshape(-1, 3)
    whole = np.floor(spots).astype(np.int32)
    across, down = (_weights((spots[:, axis] - whole[:, axis]).astype(np.float32)) for axis in (0, 1))
    columns = [np.clip(whole[:, 0] + step, 0, width - 1) for step in (-1, 0, 1, 2)]
    mixed = np.zeros((len(spots), 3), np.float32)
    for step in range(4):
        row = np.clip(whole[:, 1] + step - 1, 0, height - 1) * width
        line = np.zeros_like(mixed)
        for column, weight in zip(columns, across, strict=True):
            line += flat[row + column] * weight[:, None]
        mixed += line * down[step][:, None]
    return np.clip(mixed, 0.0, 255.0)


def _weights(part: np.ndarray) -> tuple[np.ndarray, ...]:
    """Of the four pixels around a place, by Catmull and Rom."""
    square = part * part
    cube = square * part
    return (
        (-cube + 2 * square - part) / 2,
        (3 * cube - 5 * square + 2) / 2,
        (-3 * cube + 4 * square + part) / 2,
        (cube - square) / 2,
    )


def _close(rgb: np.ndarray, is_known: np.ndarray, view: View, least: int, same: bool = True) -> bool:
    """Let unknown pixels with at least so many known ones around, of the `same` class and thing, take their mean:
    single ones along borders, which rounding leaves, are nothing new. Returns whether there were any.
    """
    height, width = view.shape
    labels = view.labels.ravel()
    things = view.numbered({part: number for number, part in enumerate(view.moved, start=1)})
    left = np.flatnonzero(~is_known)
    row, column = np.divmod(left, width)
    count, total = np.zeros(left.size, np.int32), np.zeros((left.size, 3), np.float32)
    for down, right in _AROUND:
        y, x = row + down, column + right
        inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
        at = np.where(inside, y * width + x, left)
        good = is_known[at]
        if same:
            good &= (labels[at] == labels[left]) & (things[at] == things[left])
        count += good
        total += np.where(good[:, None], rgb[at], 0.0)
    closed = count >= least
    rgb[left[closed]] = total[closed] / count[closed, None]
    is_known[left[closed]] = True
    return bool(closed.any())


def _soft(is_known: np.ndarray) -> np.ndarray:
    """(H, W) float32, 1 where all is known and 0 where nothing is, going over on the known side."""
    side = 2 * _SOFT + 1
    padded = np.pad(is_known, _SOFT + 1, mode="edge")
    inner = padded.copy()
    for axis in (0, 1):
        inner &= np.roll(padded, 1, axis) & np.roll(padded, -1, axis)
    sums = inner[1:-1, 1:-1].astype(np.float32)
    for axis in (0, 1):
        lines = np.cumsum(sums, axis=axis)
        ends = np.take(lines, range(side - 1, sums.shape[axis]), axis=axis)
        starts = np.take(lines, range(sums.shape[axis] - side), axis=axis)
        zero = np.zeros_like(np.take(lines, [0], axis=axis))
        sums = ends - np.concatenate([zero, starts], axis=axis)
    return np.where(is_known, sums / side**2, 0.0).astype(np.float32)


def _bytes(rgb: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(rgb), 0, 255).astype(np.uint8)
