# SPDX-License-Identifier: Apache-2.0
"""Bringing a picture to any size by bicubic convolution (Keys 1981, a = -0.5), widened where it becomes smaller.

torch's own knows no axis that goes on at its other end, which seamless tiles and panoramas need.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .tiling import Wrap


def resampled(picture: Tensor, height: int, width: int, wrap: Wrap = (False, False)) -> Tensor:
    """(B, C, H, W) float as (B, C, height, width); an axis that has its length already is left as it is."""
    for axis, length, goes_on in ((2, height, wrap[0]), (3, width, wrap[1])):
        if picture.shape[axis] != length:
            picture = _along(picture, axis, length, goes_on)
    return picture


def _along(picture: Tensor, axis: int, new: int, wrap: bool) -> Tensor:
    old = picture.shape[axis]
    widened = max(old / new, 1.0)
    centres = (torch.arange(new, dtype=torch.float64) + 0.5) * old / new - 0.5
    taps = math.ceil(4 * widened) + 1
    sources = (centres - 2 * widened).ceil().long()[:, None] + torch.arange(taps)
    weights = _cubic((sources - centres[:, None]) / widened)
    weights = (weights / weights.sum(1, keepdim=True)).float().to(picture.device)
    sources = (sources % old if wrap else sources.clamp(0, old - 1)).to(picture.device)
    shape = [1, 1, 1, 1]
    shape[axis] = new
    total = picture.index_select(axis, sources[:, 0]).mul_(weights[:, 0].view(shape))
    for tap in range(1, taps):
        total.addcmul_(picture.index_select(axis, sources[:, tap]), weights[:, tap].view(shape))
    return total


def _cubic(x: Tensor) -> Tensor:
    x = x.abs()
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return torch.where(x < 1, near, torch.where(x < 2, far, torch.zeros_like(x)))
