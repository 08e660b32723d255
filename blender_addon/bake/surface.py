# SPDX-License-Identifier: GPL-3.0-or-later
"""Roughness and normals guessed from colours, by the simplest method there is: what is brighter is higher and smoother.

A photograph does not say how a surface is made. This gives light something to play on, no more: small bright details
stand out by a few degrees, and bright texels shine a little.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

_LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)
_ROUGHEST, _SMOOTHEST = 0.95, 0.55
_BUMP = 2.0
"""How steep a step from black to white from one texel to the next is."""
_WIDE = 8
"""Texels: brightness that changes more slowly is light, not shape."""


def roughness(colors: np.ndarray) -> np.ndarray:
    """(H, W) uint8 of (H, W, 3) uint8: 0.95 where black, 0.55 where white, even in between."""
    value = _ROUGHEST - (_ROUGHEST - _SMOOTHEST) * _brightness(colors)
    return np.rint(value * 255).astype(np.uint8)


def normals(colors: np.ndarray, repeats: bool = False) -> np.ndarray:
    """(H, W, 3) uint8 of (H, W, 3) uint8, in tangent space, y up: brightness, less its slow changes, is height.

    repeats: of a tile, whose sides meet; else colours go on beyond the edges as they are there.
    """
    mode: Literal["wrap", "edge"] = "wrap" if repeats else "edge"
    height = _brightness(colors)
    height = height - _blurred(height, _WIDE, mode)
    down, right = (part[1:-1, 1:-1] for part in np.gradient(np.pad(height, 1, mode=mode)))
    normal = np.stack([-_BUMP * right, _BUMP * down, np.ones_like(height)], axis=2)
    normal /= np.linalg.norm(normal, axis=2, keepdims=True)
    return np.rint((normal * 0.5 + 0.5) * 255).astype(np.uint8)


def _brightness(colors: np.ndarray) -> np.ndarray:
    return colors.astype(np.float32) @ _LUMINANCE / 255


def _blurred(values: np.ndarray, radius: int, mode: Literal["wrap", "edge"]) -> np.ndarray:
    """The mean of a square around each."""
    for axis in (0, 1):
        pad = [(radius + 1, radius) if each == axis else (0, 0) for each in range(2)]
        sums = np.cumsum(np.pad(values, pad, mode=mode), axis=axis, dtype=np.float64)
        count, width = values.shape[axis], 2 * radius + 1
        upper = np.take(sums, np.arange(width, width + count), axis)
        values = ((upper - np.take(sums, np.arange(count), axis)) / width).astype(np.float32)
    return values
