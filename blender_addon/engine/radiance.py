# SPDX-License-Identifier: GPL-3.0-or-later
"""Light as the bytes of a Radiance file (.hdr): three numbers that share an exponent, exact to a two-hundredth."""

from __future__ import annotations

import numpy as np

_LONGEST = 128
"""Bytes of one run."""
_LEAST = 1e-32


def radiance(light: np.ndarray) -> bytes:
    """(H, W, 3) float32 linear light, 0 and more, row 0 at the top; W is from 8 to 32767."""
    height, width = light.shape[:2]
    brightest = light.max(axis=2)
    share, exponent = np.frexp(brightest)
    scale = np.where(brightest > _LEAST, share * 256 / np.maximum(brightest, _LEAST), 0)
    pixels = np.empty((height, 4, width), np.uint8)  # row by row, each channel for itself
    pixels[:, :3] = np.moveaxis(np.rint(light * scale[..., None]).clip(0, 255), 2, 1)
    pixels[:, 3] = np.where(brightest > _LEAST, exponent + 128, 0)
    # Runs that are not shortened: each begins with how long it is.
    parts = []
    for first in range(0, width, _LONGEST):
        part = pixels[:, :, first : first + _LONGEST]
        parts += [np.full((height, 4, 1), part.shape[2], np.uint8), part]
    rows = np.concatenate(parts, axis=2).reshape(height, -1)
    heads = np.tile(np.array([2, 2, width >> 8, width & 255], np.uint8), (height, 1))
    start = f"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y {height} +X {width}\n".encode()
    return start + np.concatenate([heads, rows], axis=1).tobytes()
