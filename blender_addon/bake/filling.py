# SPDX-License-Identifier: GPL-3.0-or-later
"""Texels that nothing was painted on get the colours around them: push and pull, over halves of halves of the image."""

from __future__ import annotations

import numpy as np

_BAND = 256  # rows; even


def filled(colors: np.ndarray, known: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 with its colours where (H, W) `known` is true, and smooth ones between them elsewhere.

    Without any known texel it is grey.
    """
    if not known.any():
        return np.full_like(colors, 128)
    result = colors.copy()
    weight, half = _halved_by_bands(colors, known)
    coarse = _pushed_and_pulled(half / np.maximum(weight, 1e-6)[..., None], np.minimum(weight * 4, 1.0))
    for first in range(0, len(colors), _BAND):
        band = slice(first, min(first + _BAND, len(colors)))
        around = np.clip(_doubled(coarse, colors.shape, band), 0, 255)
        unknown = ~known[band]
        result[band][unknown] = np.rint(around[unknown]).astype(np.uint8)
    return result


def _halved_by_bands(colors: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`_halved` of `known` and of the known colours, without that all of a large texture is there as floats."""
    weights, halves = [], []
    for first in range(0, len(colors), _BAND):
        weight = known[first : first + _BAND].astype(np.float32)
        weights.append(_halved(weight))
        halves.append(_halved(colors[first : first + _BAND] * weight[..., None]))
    return np.concatenate(weights), np.concatenate(halves)


def _pushed_and_pulled(colors: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(H, W, 3) float32: the colours, where `weight`, 0..1, leaves room the mean of those around, near ones first."""
    if min(weight.shape) == 1:
        total = max(float(weight.sum()), 1e-6)
        mean = (colors * weight[..., None]).sum(axis=(0, 1)) / total
        return np.broadcast_to(mean, colors.shape)
    half_weight = _halved(weight)
    half = _halved(colors * weight[..., None]) / np.maximum(half_weight, 1e-6)[..., None]
    coarse = _pushed_and_pulled(half, np.minimum(half_weight * 4, 1.0))
    around = _doubled(coarse, weight.shape, slice(0, len(weight)))
    return colors * weight[..., None] + around * (1 - weight[..., None])


def _halved(values: np.ndarray) -> np.ndarray:
    """Means of two by two; a last odd row or column counts twice."""
    height, width = values.shape[:2]
    values = np.pad(values, ((0, height % 2), (0, width % 2), *[(0, 0)] * (values.ndim - 2)), mode="edge")
    return (values[0::2, 0::2] + values[1::2, 0::2] + values[0::2, 1::2] + values[1::2, 1::2]) / 4


def _doubled(values: np.ndarray, shape: tuple[int, ...], rows: slice) -> np.ndarray:
    """These rows of (H, W, C) at twice the size, between the texels: nearest ones would show as squares."""
    for axis, wanted in ((0, np.arange(rows.start, rows.stop)), (1, np.arange(shape[1]))):
        places = (wanted + 0.5) / 2 - 0.5
        low = np.clip(np.floor(places).astype(int), 0, values.shape[axis] - 1)
        high = np.clip(low + 1, 0, values.shape[axis] - 1)
        part = np.clip(places - low, 0, 1).astype(np.float32)
        part = part.reshape([len(wanted) if each == axis else 1 for each in range(values.ndim)])
        values = np.take(values, low, axis) * (1 - part) + np.take(values, high, axis) * part
    return values
