# SPDX-License-Identifier: GPL-3.0-or-later
"""The six faces of a cube around a panorama's eye, as seen from inside.

Cube maps have left-handed axes, glTF has right-handed ones (x to the right, y up, z towards the viewer: Blender's x, z
and -y). So programs that show both turn x around when they look a direction up, as three.js does, or when they read a
glTF, as Unity does: what is named +x lies at -x of glTF.
"""

from __future__ import annotations

import math

import numpy as np

FACES = {
    # axes of glTF: the directions of its middle, of its columns to the right and of its rows downwards
    "px": ((-1, 0, 0), (0, 0, -1), (0, -1, 0)),
    "nx": ((1, 0, 0), (0, 0, 1), (0, -1, 0)),
    "py": ((0, 1, 0), (-1, 0, 0), (0, 0, 1)),
    "ny": ((0, -1, 0), (-1, 0, 0), (0, 0, -1)),
    "pz": ((0, 0, 1), (-1, 0, 0), (0, -1, 0)),
    "nz": ((0, 0, -1), (1, 0, 0), (0, -1, 0)),
}
_FINER = 2


def face(around: np.ndarray, name: str, size: int) -> np.ndarray:
    """(size, size, 3) float32 of a panorama, (H, W, 3), whose middle lies at +x of glTF, a quarter further right +z."""
    count = _FINER * size
    steps = (np.arange(count) + 0.5) * 2 / count - 1
    middle, right, down = (np.array(axis, float) for axis in FACES[name])
    x, y, z = np.moveaxis(middle + steps[None, :, None] * right + steps[:, None, None] * down, 2, 0)
    height, width = around.shape[:2]
    columns = (np.arctan2(z, x) / math.tau + 0.5) * width - 0.5
    rows = (0.5 - np.arctan2(y, np.hypot(x, z)) / math.pi) * height - 0.5
    fine = _between(around, rows, columns)
    return fine.reshape(size, _FINER, size, _FINER, 3).mean(axis=(1, 3), dtype=np.float32)


def _between(around: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """What is mixed of the four pixels around each place; columns go on at the other end, rows end at the poles."""
    height, width = around.shape[:2]
    top, left = np.floor(rows).astype(int), np.floor(columns).astype(int)
    below, beside = ((rows - top)[..., None], (columns - left)[..., None])
    upper, lower = top.clip(0, height - 1), (top + 1).clip(0, height - 1)
    left, right = left % width, (left + 1) % width
    first = around[upper, left] * (1 - beside) + around[upper, right] * beside
    second = around[lower, left] * (1 - beside) + around[lower, right] * beside
    return (first * (1 - below) + second * below).astype(np.float32)
