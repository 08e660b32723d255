# SPDX-License-Identifier: GPL-3.0-or-later
"""Texels that nothing was painted on get the colours around them: push and pull, over halves of halves of the image."""

from __future__ import annotations

import numpy as np


def filled(colors: np.ndarray, known: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 with its colours where (H, W) `known` is true, and smooth ones between them elsewhere.

    Without any known texel it is grey.
    """
    if not known.any():
        return np.full_like(colors, 128)
    soft = _pushed_and_pulled(colors.astype(np.float32), known.astype(np.float32))
    return np.where(known[..., None], colors, np.rint(np.clip(soft, 0, 255)).astype(np.uint8))


def _pushed_and_pulled(colors: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(H, W, 3) float32: the colours, where `weight`, 0..1, leaves room the mean of those around, near ones first."""
    if min(weight.shape) == 1:
        total = max(float(weight.sum()), 1e-6)
        mean = (colors * weight[..., None]).sum(axis=(0, 1)) / total
        return np.broadcast_to(mean, colors.shape)
    half_weight = _halved(weight)
    half = _halved(colors * weight[..., None]) / np.maximum(half_weight, 1e-6)[..., None]
    around = _doubled(_pushed_and_pulled(half, np.minimum(half_weight * 4, 1.0)), weight.shape)
    return colors * weight[..., None] + around * (1 - weight[..., None])


def _halved(values: np.ndarray) -> np.ndarray:
    """Means of two by two; a last odd row or column counts twice."""
    height, width = values.shape[:2]
    values = np.pad(values, ((0, height % 2), (0, width % 2), *[(0, 0)] * (values.ndim - 2)), mode="edge")
    return (values[0::2, 0::2] + values[1::2, 0::2] + values[0::2, 1::2] + values[1::2, 1::2]) / 4


def _doubled(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """(H, W, C) at twice the size, between the texels: nearest ones would show as squares."""
    for axis in (0, 1):
        count = shape[axis]
        places = (np.arange(count) + 0.5) / 2 - 0.5
        low = np.clip(np.floor(places).astype(int), 0, values.shape[axis] - 1)
        high = np.clip(low + 1, 0, values.shape[axis] - 1)
        part = np.clip(places - low, 0, 1).astype(np.float32)
        part = part.reshape([count if each == axis else 1 for each in range(values.ndim)])
        values = np.take(values, low, axis) * (1 - part) + np.take(values, high, axis) * part
    return values
