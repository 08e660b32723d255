# SPDX-License-Identifier: Apache-2.0
"""The borders between regions as lines: traced, straightened or smoothed, and painted again.

Two neighbours share one line, so what is done to it opens no gap between them: the lines cut the picture up, and each
pixel takes the region to the east of the last line before it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

# Directions along the pixel lattice, clockwise: east, south, west, north. Rows count downwards.
_STEP_X, _STEP_Y = np.array([1, 0, -1, 0]), np.array([0, 1, 0, -1])


@dataclass(frozen=True)
class Borders:
    """Lines between junctions, or closed ones, over a picture of (H, W) pixels whose corners are whole numbers.

    points: (P, 2) float64, x and y, all lines one after the other. first, last: (L,) where each line begins and ends
    in points. right, left: (L,) the region on its right and left hand; -1 is outside the picture.
    """

    shape: tuple[int, int]
    points: np.ndarray
    first: np.ndarray
    last: np.ndarray
    right: np.ndarray
    left: np.ndarray

    @classmethod
    def of(cls, region: np.ndarray) -> Borders:
        """Trace (H, W) int32 regions, each connected."""
        edges = _Edges(region)
        chains = edges.chains()
        lengths = np.array([len(chain) for chain in chains])
        first = np.concatenate([[0], np.cumsum(lengths + 1)[:-1]])
        order = np.array([edge for chain in chains for edge in (*chain, chain[-1])])
        points = np.stack([edges.x[order], edges.y[order]], axis=1).astype(np.float64)
        last = first + lengths  # the last edge comes twice: there stands its end
        ends = order[last]
        points[last] += np.stack([_STEP_X[edges.way[ends]], _STEP_Y[edges.way[ends]]], axis=1)
        heads = order[first]
        return cls(
            (region.shape[0], region.shape[1]), points, first, last, edges.right[heads], edges.left[heads]
        )

    def straightened(self, tolerance: float) -> Borders:
        """Fewer points: no line leaves its old course by more than `tolerance` pixels (Douglas and Peucker)."""
        kept = np.zeros(len(self.points), np.bool_)
        kept[self.first] = kept[self.last] = True
        begin, end = self.first, self.last
        while begin.size:
            inner = end - begin - 1
            begin, end, inner = begin[inner > 0], end[inner > 0], inner[inner > 0]
            if not begin.size:
                break
            starts = np.concatenate([[0], np.cumsum(inner)[:-1]])
            chord = np.repeat(np.arange(begin.size), inner)
            at = np.arange(chord.size) - starts[chord] + begin[chord] + 1
            away = _distance(self.points[at], self.points[begin][chord], self.points[end][chord])
            farthest = np.maximum.reduceat(away, starts)
            # the first of the farthest points of each chord
            peaks = np.flatnonzero(away == farthest[chord])
            peaks = at[peaks[np.unique(chord[peaks], return_index=True)[1]]]
            split = farthest > tolerance
            kept[peaks[split]] = True
            begin, end = (
                np.concatenate([begin[split], peaks[split]]),
                np.concatenate([peaks[split], end[split]]),
            )
        place = np.cumsum(kept) - 1
        return replace(self, points=self.points[kept], first=place[self.first], last=place[self.last])

    def smoothed(self, sigma: float) -> Borders:
        """Lines without corners: a Gaussian of `sigma` pixels runs along them; their ends stay, if they have any."""
        # Points no denser than the curve needs.
        step = max(1, round(sigma / 2))
        number = np.arange(len(self.points)) - np.repeat(self.first, self.last - self.first + 1)
        kept = number % step == 0
        kept[self.last] = True
        place = np.cumsum(kept) - 1
        points, first, last = self.points[kept], place[self.first], place[self.last]
        ring = (points[first] == points[last]).all(axis=1)[:, None]
        for _ in range(max(1, round(2 * (sigma / step) ** 2))):  # each adds half a step squared
            seam = 0.5 * points[first] + 0.25 * (points[first + 1] + points[last - 1])
            begin, end = np.where(ring, seam, points[first]), np.where(ring, seam, points[last])
            points[1:-1] = 0.5 * points[1:-1] + 0.25 * (points[:-2] + points[2:])
            points[first], points[last] = begin, end
        return replace(self, points=points, first=first, last=last)

    def painted(self) -> np.ndarray:
        """The regions again, (H, W) int32: of traced lines that nobody moved, exactly those they were traced from."""
        height, width = self.shape
        inner = np.ones(len(self.points) - 1, np.bool_)
        inner[self.last[:-1]] = False  # from one line's end to the next one's beginning there is nothing
        line = np.repeat(np.arange(self.first.size), self.last - self.first)
        a, b = self.points[:-1][inner], self.points[1:][inner]
        # Heading south, the east is on the left hand.
        east = np.where(b[:, 1] > a[:, 1], self.left[line], self.right[line])
        upper, lower = np.minimum(a[:, 1], b[:, 1]), np.maximum(a[:, 1], b[:, 1])
        top = np.clip(np.ceil(upper - 0.5), 0, height).astype(
            np.int64
        )  # the first row whose middle it crosses
        rows = np.clip(np.ceil(lower - 0.5), 0, height).astype(np.int64) - top
        piece = np.repeat(np.arange(rows.size), rows)
        row = np.arange(piece.size) - np.repeat(np.cumsum(rows) - rows, rows) + top[piece]
        slope = (b[:, 0] - a[:, 0]) / np.where(b[:, 1] == a[:, 1], 1.0, b[:, 1] - a[:, 1])
        x = a[piece, 0] + (row + 0.5 - a[piece, 1]) * slope[piece]
        column = np.ceil(x - 0.5).astype(np.int64)  # the first pixel whose middle is not before the line
        seen = (column < width) & (east[piece] >= 0)
        row, column, x, piece = row[seen], np.maximum(column[seen], 0), x[seen], piece[seen]
        order = np.argsort(x, kind="stable")
        region = np.full((height, width), -1, np.int32)
        region[row[order], column[order]] = east[piece[order]]
        filled = np.where(region >= 0, np.arange(width), 0)
        return np.take_along_axis(region, np.maximum.accumulate(filled, axis=1), axis=1)


class _Edges:
    """The edges of the pixel lattice that lie between two regions, each in both directions.

    x, y: (E,) where an edge begins; way: its direction; right, left: the regions beside it.
    """

    def __init__(self, region: np.ndarray) -> None:
        height, width = region.shape
        stride = width + 1
        padded = np.full((height + 2, width + 2), -1, np.int32)
        padded[1:-1, 1:-1] = region
        northwest, northeast = padded[:-1, :-1], padded[:-1, 1:]
        southwest, southeast = padded[1:, :-1], padded[1:, 1:]
        # Only where something ends do more than one region meet in a corner: a few hundred of all the corners.
        corner = np.flatnonzero(
            (northwest != southeast) | (northeast != southwest) | (northwest != northeast)
        )
        around = [each.ravel()[corner] for each in (northeast, southeast, southwest, northwest)]
        left, right = np.stack(around), np.stack(around[1:] + around[:1])  # of the edges that begin there
        there = left != right
        junction = there.sum(axis=0) > 2
        # The picture's own corners stay where they are.
        junction |= np.isin(corner, (0, width, height * stride, height * stride + width))
        self.way, at = np.nonzero(there)
        self.right, self.left = right[there], left[there]
        self.y, self.x = np.divmod(corner[at], stride)
        number = np.full(there.shape, -1, np.int64)
        number[there] = np.arange(self.way.size)
        place = np.zeros((height + 1) * stride, np.int32)
        place[corner] = np.arange(corner.size)
        end = place[corner[at] + _STEP_X[self.way] + _STEP_Y[self.way] * stride]
        self.twin = number[(self.way + 2) % 4, end]
        # Where no junction is, one of the three ways ahead is there.
        self._following = np.stack([number[(self.way + turn) % 4, end] for turn in (1, 0, 3)]).max(axis=0)
        self._following[junction[end]] = -1
        self._from_junction = junction[at]

    def chains(self) -> list[list[int]]:
        """Edges in a row from junction to junction, and closed ones; of the two directions only one."""
        following, twin = self._following.tolist(), self.twin.tolist()
        done = np.zeros(len(following), np.bool_)
        found: list[list[int]] = []
        for start in np.flatnonzero(self._from_junction).tolist():
            if done[start]:
                continue
            chain = [start]
            while (edge := following[chain[-1]]) >= 0:
                chain.append(edge)
            done[twin[chain[-1]]] = True  # the same line from its other end
            found.append(chain)
        used = np.array([edge for chain in found for edge in chain])
        done[used] = done[self.twin[used]] = True
        for start in np.flatnonzero(~done).tolist():  # what is left are rings
            if done[start]:
                continue
            chain = [start]
            while (edge := following[chain[-1]]) != start:
                chain.append(edge)
            done[chain] = done[self.twin[chain]] = True
            found.append(chain)
        return found


def _distance(points: np.ndarray, begin: np.ndarray, end: np.ndarray) -> np.ndarray:
    """From points to the chords begin-end, all (P, 2); to the point itself where both ends are one."""
    chord, off = end - begin, points - begin
    length = np.hypot(chord[:, 0], chord[:, 1])
    across = np.abs(chord[:, 0] * off[:, 1] - chord[:, 1] * off[:, 0])
    return np.where(length > 0, across / np.where(length > 0, length, 1.0), np.hypot(off[:, 0], off[:, 1]))
