# SPDX-License-Identifier: GPL-3.0-or-later
"""The zenith of a panorama, made calm.

A network knows nothing of spheres: the texture that it paints along the top rows is drawn together in one point, where
it looks like a star. So the picture is blurred along its rows, the more the nearer they are to the zenith, and the last
rows have one colour. (Below, rings would show in what is nearest; grass pinches little.)
"""

from __future__ import annotations

import numpy as np

_FROM, _TO = 40.0, 75.0
"""Degrees above the horizon where blurring begins, and from where a row has one colour."""


def calmed(rgb: np.ndarray) -> np.ndarray:
    """A panorama, (H, W, 3) uint8, with a calm zenith; below 40 degrees it is what it was."""
    height, width = rgb.shape[:2]
    latitude = 90.0 - (np.arange(height) + 0.5) * 180.0 / height
    result = rgb.copy()
    for row in np.flatnonzero(latitude > _FROM):
        part = min((latitude[row] - _FROM) / (_TO - _FROM), 1.0)
        reach = int(part * part * (3 - 2 * part) * width / 2)
        colors = rgb[row].astype(np.float64)
        if 2 * reach + 1 >= width:
            colors[:] = colors.mean(0)
        else:
            for _ in range(2):
                colors = _blurred(colors, reach)
        result[row] = np.rint(colors).astype(np.uint8)
    return result


def _blurred(row: np.ndarray, reach: int) -> np.ndarray:
    """The mean of 2 * reach + 1 neighbours of a row, (W, 3), whose ends meet."""
    around = np.concatenate([row[len(row) - reach :], row, row[:reach]]) if reach else row
    sums = np.concatenate([np.zeros((1, 3)), around.cumsum(0)])
    return (sums[2 * reach + 1 :] - sums[: len(row)]) / (2 * reach + 1)
