# SPDX-License-Identifier: Apache-2.0
"""What a level artist puts in place of things: lollipops for trees, boxes for buildings, cones for mountains.

Each takes a boolean mask of one region, (H, W), and answers with the mask of what is there instead.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...contract.labels import LabelSet

_WORDS = {
    "lollipops": ("tree", "palm", "forest"),
    "balls": ("bush", "shrub", "plant"),
    "boxes": ("building", "house", "skyscraper", "tower", "hovel"),
    "cones": ("mountain", "hill"),
}

Primitive = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def primitives_of(label_set: LabelSet) -> dict[int, Primitive]:
    """The primitive for each class, by id, whose name is one of the words for things that have one."""
    makers: dict[str, Primitive] = {"lollipops": lollipops, "balls": balls, "boxes": boxes, "cones": cones}
    return {
        entry.id: makers[kind]
        for kind, words in _WORDS.items()
        for entry in label_set.classes
        if entry.name.casefold().replace("-", " ").split()[0] in words
    }


def lollipops(region: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Balls on sticks, in rows over the region, the nearer the larger; the inside of a wood stays a wood."""
    rows, columns, top, bottom, left, right = _extent(region)
    height = bottom - top
    size = max(0.06 * max(region.shape), min(height, right - left) * random.uniform(0.3, 0.6))
    mask = _inside(region, max(1, round(0.6 * size)))
    for center_y in np.arange(top + 0.5 * size, max(bottom - 0.3 * size, top + 0.6 * size), 0.75 * size):
        grown = size * (0.8 + 0.4 * (center_y - top) / max(height, 1))
        for center_x in np.arange(
            left + random.uniform(0.2, 0.6) * size, right, random.uniform(0.7, 1.0) * size
        ):
            x, y = center_x + random.uniform(-0.15, 0.15) * size, center_y + random.uniform(-0.2, 0.2) * size
            if region[min(max(int(y), 0), len(region) - 1), min(max(int(x), 0), region.shape[1] - 1)]:
                _ellipse(mask, x, y, 0.5 * grown, 0.5 * grown * random.uniform(0.9, 1.3))
                foot = min(y + grown, bottom + 0.2 * size)
                _box(mask, x - 0.06 * grown, y, x + 0.06 * grown, foot)
    return mask


def balls(region: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Lumps side by side, as high as the region."""
    rows, columns, top, bottom, left, right = _extent(region)
    height, width = bottom - top, right - left
    count = max(1, min(5, round(width / max(1.2 * height, 1))))
    mask = np.zeros_like(region)
    for index in range(count):
        x = left + (index + 0.5) * width / count
        inside = rows[np.abs(columns - x) <= 0.5 * width / count]
        if inside.size:
            low, high = inside.min(), inside.max() + 1
            _ellipse(mask, x, 0.5 * (low + high), 0.6 * width / count, 0.55 * (high - low))
    return mask


def boxes(region: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """One box or a few side by side, each as high as the region is there; some have a gable."""
    rows, columns, top, bottom, left, right = _extent(region)
    count = int(random.integers(1, max(2, min(5, 1 + (right - left) // max(1, (bottom - top) // 2)))))
    edges = np.sort(np.concatenate([[left, right], random.uniform(left, right, count - 1)]))
    mask = np.zeros_like(region)
    for begin, end in zip(edges[:-1], edges[1:], strict=True):
        inside = rows[(columns >= begin) & (columns < end)]
        if inside.size:
            high = np.quantile(inside, 0.08)
            _box(mask, begin, high, end, inside.max() + 1)
            if random.random() < 0.3:
                _cone(mask, 0.5 * (begin + end), high - 0.25 * (end - begin), high, 0.55 * (end - begin))
    return mask


def cones(region: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Straight slopes down from a few of the region's summits."""
    rows, columns, top, bottom, left, right = _extent(region)
    across = np.arange(left, right)
    crest = np.full(region.shape[1], bottom)
    np.minimum.at(crest, columns, rows)
    crest = crest[left:right].astype(np.float64)
    summits = [int(np.argmin(crest))]
    apart = max(3, (right - left) // int(random.integers(3, 7)))
    for column in np.argsort(crest).tolist():
        if all(abs(column - other) >= apart for other in summits):
            summits.append(column)
    slope = random.uniform(0.25, 0.9)
    line = np.full(across.size, float(bottom))
    for column in summits:
        # As steep as it takes to come down between the summits, at least.
        line = np.minimum(line, crest[column] + slope * np.abs(across - across[column]))
    mask = np.zeros_like(region)
    below = np.arange(len(region))[:, None] >= line[None]
    floor = np.full(region.shape[1], top)
    np.maximum.at(floor, columns, rows)
    mask[:, left:right] = below & (np.arange(len(region))[:, None] <= floor[left:right])
    return mask


def _extent(region: np.ndarray) -> tuple[np.ndarray, np.ndarray, int, int, int, int]:
    """Rows and columns of its pixels; top, bottom, left, right of its box, the far ones exclusive."""
    rows, columns = np.nonzero(region)
    return rows, columns, rows[0], rows[-1] + 1, int(columns.min()), int(columns.max()) + 1


def _inside(region: np.ndarray, margin: int) -> np.ndarray:
    """The pixels with nothing but the region (or the picture's edge) within `margin` rows and columns."""
    outside = np.pad(~region, margin).astype(np.int32)
    for axis in (0, 1):
        total = np.cumsum(outside, axis=axis)
        length = region.shape[axis]
        first = np.take(total, np.arange(2 * margin, 2 * margin + length), axis)
        before = np.concatenate(
            [np.zeros_like(np.take(total, [0], axis)), np.take(total, np.arange(length - 1), axis)], axis
        )
        outside = first - before
    return outside == 0


def _window(mask: np.ndarray, left: float, top: float, right: float, bottom: float) -> tuple[slice, slice]:
    """The pixels whose middles may lie inside, clipped to the picture."""
    height, width = mask.shape
    return (
        slice(min(max(int(top), 0), height), min(max(int(bottom) + 1, 0), height)),
        slice(min(max(int(left), 0), width), min(max(int(right) + 1, 0), width)),
    )


def _ellipse(mask: np.ndarray, x: float, y: float, half_width: float, half_height: float) -> None:
    down, across = _window(mask, x - half_width, y - half_height, x + half_width, y + half_height)
    v = (np.arange(down.start, down.stop) + 0.5 - y)[:, None] / max(half_height, 0.5)
    u = (np.arange(across.start, across.stop) + 0.5 - x)[None] / max(half_width, 0.5)
    mask[down, across] |= u * u + v * v <= 1.0


def _box(mask: np.ndarray, left: float, top: float, right: float, bottom: float) -> None:
    down, across = _window(mask, round(left), round(top), round(right) - 1, round(bottom) - 1)
    mask[down, across] = True


def _cone(mask: np.ndarray, x: float, top: float, bottom: float, half_width: float) -> None:
    down, across = _window(mask, x - half_width, top, x + half_width, bottom)
    v = (np.arange(down.start, down.stop) + 0.5 - top)[:, None] / max(bottom - top, 1.0)
    u = np.abs(np.arange(across.start, across.stop) + 0.5 - x)[None] / max(half_width, 0.5)
    mask[down, across] |= u <= v
