# SPDX-License-Identifier: Apache-2.0
"""Borders of an enlarged picture, brought to where the full-size label map has them.

A painting a quarter as wide knows a border to half a pixel of its own, which is two of the enlarged one, and shades it
on both sides. So each pixel near a border takes its colour from where the middle of its own class around it lies (one
step of mean shift): what was painted inside is stretched up to the border, and what was painted across it is left out.
Far from borders nothing moves.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .tiling import Wrap

STEP = 1.25
"""How far a pixel goes towards the middle; 1 leaves a dark rim of what was painted across the border."""
SIGHT = 2.5
"""Standard deviations of the window that a pixel sees."""
ROWS = 256
"""Of the picture, at once."""
SOFTNESS = 0.6
"""Standard deviation, in pixels, of what smooths the stairs of a border."""


def fitted(
    rgb: np.ndarray,
    outlines: np.ndarray,
    times: float,
    wrap: Wrap = (False, False),
    device: torch.device | str = "cpu",
    after_rows: Callable[[int], None] = lambda pixels: None,
) -> np.ndarray:
    """The picture with its borders on the outlines.

    rgb: (H, W, 3) uint8, enlarged `times` each side. outlines: (H, W) int32, as outlines.outlined gives. wrap: as in
    Upscaler.upscale. after_rows is told how many pixels were done, and may raise to stop.
    """
    sigma = max(times, 1.0)
    reach = math.ceil(SIGHT * sigma)
    margin = reach + math.ceil(STEP * sigma) + 4
    pixels, ids = (_beyond(array, margin, wrap) for array in (rgb, outlines))
    height = rgb.shape[0]
    result = np.empty_like(rgb)
    for top in range(0, height, ROWS):
        bottom = min(top + ROWS, height)
        rows = slice(top, bottom + 2 * margin)
        part = torch.from_numpy(ids[rows]).to(device)
        picture = torch.from_numpy(pixels[rows]).to(device)
        result[top:bottom] = _part(picture, part, margin, reach, sigma).cpu().numpy()
        after_rows((bottom - top) * rgb.shape[1])
    return result


def _part(picture: Tensor, ids: Tensor, margin: int, reach: int, sigma: float) -> Tensor:
    """(H + 2 margin, W + 2 margin, 3) uint8 and its ids: the inner (H, W, 3), with borders on those of the ids."""
    border = _borders(ids)
    near = _dilated(border, reach)
    inner = torch.zeros_like(near)
    inner[margin - 1 : 1 - margin, margin - 1 : 1 - margin] = True  # one pixel more, for smoothing
    y, x = (near & inner).nonzero(as_tuple=True)
    picture = picture.float()
    if len(y):
        shift = _towards_the_middle(ids, y, x, reach, sigma)
        picture[y, x] = _sampled(picture.clone(), y + STEP * shift[0], x + STEP * shift[1])
        picture = _smoothed(picture, *(border & inner).nonzero(as_tuple=True))
    inside = picture[margin:-margin, margin:-margin]
    return inside.round().clamp(0, 255).to(torch.uint8)


def _towards_the_middle(ids: Tensor, y: Tensor, x: Tensor, reach: int, sigma: float) -> tuple[Tensor, Tensor]:
    """From each pixel to the middle of its class in a Gaussian window: (N,) rows and (N,) columns."""
    width = ids.shape[1]
    flat, at = ids.flatten(), y * width + x
    own = flat[at]
    weight, down, right = (torch.zeros(len(y), device=ids.device) for _ in range(3))
    step = max(1, round(sigma / 2))
    steps = range(-reach // step * step, reach + 1, step)
    for i in steps:
        for j in steps:
            if i * i + j * j > reach * reach:
                continue
            theirs = flat[at + (i * width + j)]
            same = (theirs == own) | (theirs < 0) | (own < 0)
            share = same.float().mul_(math.exp(-(i * i + j * j) / (2 * sigma * sigma)))
            weight += share
            down.add_(share, alpha=i)
            right.add_(share, alpha=j)
    return down / weight, right / weight


def _borders(ids: Tensor) -> Tensor:
    """(H, W) bool: pixels beside one of another class."""
    border = torch.zeros_like(ids, dtype=torch.bool)
    known = ids >= 0
    across = (ids[:, 1:] != ids[:, :-1]) & known[:, 1:] & known[:, :-1]
    below = (ids[1:] != ids[:-1]) & known[1:] & known[:-1]
    border[:, 1:] |= across
    border[:, :-1] |= across
    border[1:] |= below
    border[:-1] |= below
    return border


def _dilated(mask: Tensor, reach: int) -> Tensor:
    """Everything within a square of `reach` around; by sums, which take the same time for any reach."""
    for axis, length in enumerate(mask.shape):
        first = torch.zeros_like(mask.narrow(axis, 0, 1), dtype=torch.int32)
        sums = torch.cat([first, mask.cumsum(axis, dtype=torch.int32)], axis)
        at = torch.arange(length, device=mask.device)
        after, before = (at + reach + 1).clamp(max=length), (at - reach).clamp(min=0)
        mask = sums.index_select(axis, after) > sums.index_select(axis, before)
    return mask


def _sampled(picture: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """(N, 3), bicubic."""
    height, width = picture.shape[:2]
    grid = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], -1)[None, None]
    found = F.grid_sample(picture.permute(2, 0, 1)[None], grid, mode="bicubic", align_corners=False)
    return found[0, :, 0].T


def _smoothed(picture: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """The picture with a Gaussian of SOFTNESS at the pixels named."""
    total, weights = torch.zeros(len(y), 3, device=picture.device), 0.0
    for i in (-1, 0, 1):
        for j in (-1, 0, 1):
            weight = math.exp(-(i * i + j * j) / (2 * SOFTNESS**2))
            total.add_(picture[y + i, x + j], alpha=weight)
            weights += weight
    picture[y, x] = total / weights
    return picture


def _beyond(array: np.ndarray, margin: int, wrap: Wrap) -> np.ndarray:
    """The array and `margin` pixels more on every side: of the other end, or the last ones again."""
    rest = ((0, 0),) * (array.ndim - 2)
    for axis, goes_on in enumerate(wrap):
        sides = [(0, 0), (0, 0)]
        sides[axis] = (margin, margin)
        array = np.pad(array, (*sides, *rest), "wrap" if goes_on else "edge")
    return array
