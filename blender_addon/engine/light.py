# SPDX-License-Identifier: GPL-3.0-or-later
"""The light that a panorama throws, as numbers: what its world's nodes make of the picture for all but the camera."""

from __future__ import annotations

import numpy as np

from ..place.panorama_world import BRIGHT_FROM, STOPS
from ..place.view_inverse import STEPS, light_of

_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])


def light_in(rgb: np.ndarray, table: np.ndarray | None, is_linear: bool = False) -> np.ndarray:
    """(H, W, 3) float32 linear light, 0 and more, of a picture, (H, W, 3) uint8, at an exposure of 0.

    table: the inverse of the view that the picture was painted for (`ViewInverse.table`); None where that is plain: its
    bytes are sRGB then, or light itself (`is_linear`), and what is nearly white is brightened.
    """
    codes = rgb.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    known, where = np.unique(codes, return_inverse=True)
    colors = np.stack([known >> 16, known >> 8 & 255, known & 255], axis=1) / 255
    light = (
        _expanded(colors if is_linear else _decoded(colors)) if table is None else _inverted(colors, table)
    )
    return np.maximum(light, 0).astype(np.float32)[where.reshape(codes.shape)]


def _decoded(colors: np.ndarray) -> np.ndarray:
    return np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)


def _expanded(light: np.ndarray) -> np.ndarray:
    share = ((light @ _LUMINANCE - BRIGHT_FROM) / (1 - BRIGHT_FROM)).clip(0, 1)
    return light * 2 ** (STOPS * share * share * (3 - 2 * share))[:, None]


def _inverted(colors: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Each mixed of the eight entries of the table around it."""
    places = colors * (STEPS - 1)
    first = np.minimum(places.astype(int), STEPS - 2)
    part = places - first
    found = np.zeros_like(colors)
    for corner in np.ndindex(2, 2, 2):
        weight = np.where(corner, part, 1 - part).prod(axis=1)
        found += weight[:, None] * table[tuple((first + corner).T)]
    return light_of(found)
