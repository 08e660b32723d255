# SPDX-License-Identifier: GPL-3.0-or-later
"""The colours of a card: the picture's own pixels wherever they show, what was painted behind everywhere else.

A painting of the same scene without its nearer things is a little lighter or darker in places. So it is moved towards
the picture by what the two differ on the whole where both show the same, and goes over into it without a seam.
"""

from __future__ import annotations

import numpy as np

from ...bake.filling import filled
from ...bridge.layers import OUTSIDE, Layers

_CELLS = 64
"""In the height of a canvas: differences are looked at so coarsely that textures do not count."""
_ENOUGH = 0.25
"""Of a cell."""


def card(layers: Layers, number: int, rgb: np.ndarray, painting: np.ndarray | None) -> np.ndarray:
    """(h, w, 4) uint8 of the canvas: a card of the picture, (H, W, 3) uint8, and of what was painted for it."""
    shape = layers.canvas
    rows, columns = layers.margins(rgb.shape[:2])
    own = layers.owner == number
    around = (
        (rows, shape[0] - rows - rgb.shape[0]),
        (columns, shape[1] - columns - rgb.shape[1]),
        (0, 0),
    )
    picture = np.pad(rgb, around, mode="edge")
    if painting is None:
        colors = filled(picture, own if own.any() else layers.owner != OUTSIDE)
    else:
        shows_both = (layers.owner >= number) & (layers.owner != OUTSIDE)
        colors = _moved_towards(_enlarged(painting, shape), picture, shows_both)
        colors[own] = picture[own]
    alpha = np.where(layers.alpha(number), 255, 0).astype(np.uint8)
    return np.concatenate([colors, alpha[..., None]], axis=2)


def with_picture(layers: Layers, number: int, rgb: np.ndarray, before: np.ndarray) -> np.ndarray:
    """A card, (h, w, 4) uint8 `before`, that shows another picture of the same plan; what is behind stays."""
    own = layers.owner == number
    rows, columns = layers.margins(rgb.shape[:2])
    result = before.copy()
    inside = (slice(rows, rows + rgb.shape[0]), slice(columns, columns + rgb.shape[1]))
    result[inside][own[inside], :3] = rgb[own[inside]]
    return result


def _moved_towards(painting: np.ndarray, picture: np.ndarray, shows_both: np.ndarray) -> np.ndarray:
    """A painting with the picture's colours on the whole; both (h, w, 3) uint8."""
    cell = max(len(painting) // _CELLS, 1)
    share = _means(shows_both.astype(np.float32), cell)
    if share.max() < _ENOUGH:
        return painting
    difference = (picture.astype(np.float32) - painting) * shows_both[..., None]
    difference = _means(difference, cell) / np.maximum(share, 1e-6)[..., None]
    # `filled` takes bytes: half a difference, about grey.
    coarse = filled(np.rint(difference / 2 + 128).astype(np.uint8), share >= _ENOUGH)
    moved = painting + (_enlarged(coarse, shows_both.shape).astype(np.float32) - 128) * 2
    return np.clip(np.rint(moved), 0, 255).astype(np.uint8)


def _means(values: np.ndarray, cell: int) -> np.ndarray:
    """Of squares of `cell` pixels a side; the last ones go on beyond the border."""
    (height, width), more = values.shape[:2], values.shape[2:]
    values = np.pad(values, ((0, -height % cell), (0, -width % cell), *[(0, 0)] * len(more)), mode="edge")
    squares = values.reshape(values.shape[0] // cell, cell, values.shape[1] // cell, cell, *more)
    return squares.mean(axis=(1, 3))


def _enlarged(rgb: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """(H, W, 3) uint8 at another size, between its pixels."""
    values = rgb.astype(np.float32)
    for axis in (0, 1):
        count = values.shape[axis]
        places = np.clip((np.arange(shape[axis]) + 0.5) * count / shape[axis] - 0.5, 0, count - 1)
        low = np.minimum(places.astype(int), max(count - 2, 0))
        part = (places - low).astype(np.float32).reshape([-1 if each == axis else 1 for each in range(3)])
        high = np.minimum(low + 1, count - 1)
        values = np.take(values, low, axis) * (1 - part) + np.take(values, high, axis) * part
    return np.rint(values).astype(np.uint8)
