# SPDX-License-Identifier: Apache-2.0
"""Label borders as nature draws them: those of grey boxes are too straight, so a fractal displacement moves them.

What people build, and the level of water, stay as they are.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from ..contract.labels import LabelSet
from ..contract.messages import NOWHERE, Wrap
from ..upscaling.resampling import resampled

FULL = 0.01
"""Standard deviation of the displacement at an amount of 1, in heights of the picture."""
COARSEST = 6.0
"""Periods of the coarsest octave in the picture's height; each further one has twice as many, and half the strength."""
FINEST = 3.0
"""Pixels of the finest octave's period: less would be noise, not an edge."""
STRAIGHT = frozenset(
    {
        "water",
        "sea",
        "river",
        "lake",
        "building",
        "house",
        "road",
        "path",
        "bridge",
        "wall",
        "fence",
        "pavement",
    }
)
"""Names of classes whose borders stay where they are."""


def with_natural_edges(
    label_map: np.ndarray, label_set: LabelSet, amount: float, seed: int, wrap: Wrap = NOWHERE
) -> np.ndarray:
    """(H, W) ids, of the same dtype, whose borders are displaced; the same for the same seed.

    amount: 0 leaves them exact, 1 moves them by about a hundredth of the picture's height. wrap: as in PictureRequest.
    """
    return label_map[natural_places(label_map, label_set, amount, seed, wrap)] if amount else label_map


def natural_places(
    label_map: np.ndarray, label_set: LabelSet, amount: float, seed: int, wrap: Wrap = (False, False)
) -> tuple[np.ndarray, np.ndarray]:
    """The rows and columns, each (H, W) intp, from which a displaced map takes its ids; of objects, its numbers."""
    height, width = label_map.shape
    down, right = _displacement(height, width, seed, wrap) * (amount * FULL * height)
    rows = _inside(np.arange(height)[:, None] + down, height, wrap[0])
    columns = _inside(np.arange(width) + right, width, wrap[1])
    moved = label_map[rows, columns]
    straight = np.zeros(int(max(label_map.max(), moved.max())) + 1, bool)
    for entry in label_set.classes:
        if entry.id < len(straight) and STRAIGHT & {name.casefold() for name in (entry.name, *entry.aliases)}:
            straight[entry.id] = True
    stays = straight[label_map] | straight[moved]
    return np.where(stays, np.arange(height)[:, None], rows), np.where(stays, np.arange(width), columns)


def _inside(places: np.ndarray, length: int, wraps: bool) -> np.ndarray:
    rounded = np.round(places).astype(np.intp)
    return rounded % length if wraps else rounded.clip(0, length - 1)


def _displacement(height: int, width: int, seed: int, wrap: Wrap) -> np.ndarray:
    """(2, height, width) float32 of standard deviation 1."""
    random = torch.Generator().manual_seed(seed % 2**63)
    total, strength, period, variance = torch.zeros(1, 2, height, width), 1.0, height / COARSEST, 0.0
    while period >= FINEST:
        rows, columns = max(2, round(height / period)), max(2, round(width / period))
        if any(wrap):
            grid = torch.randn(1, 2, rows, columns, generator=random)
            octave = resampled(grid, height, width, wrap)
        else:
            grid = torch.randn(1, 2, rows + 1, columns + 1, generator=random)
            octave = F.interpolate(grid, (height, width), mode="bicubic", align_corners=True)
        total.add_(octave / octave.std(), alpha=strength)
        variance += strength**2
        strength, period = strength / 2, period / 2
    return (total[0] / variance**0.5).numpy()
