# SPDX-License-Identifier: Apache-2.0
"""A network's style map of a picture's codes and their places."""

from __future__ import annotations

from math import cos, pi

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..contract.messages import Wrap
from ..model.semantic_input import class_shares
from ..model.style_map import StyleMap
from .framing import Framing
from .places import PlacedCodes


def style_map(placed: PlacedCodes, frame: Framing, device: torch.device) -> StyleMap:
    """What a generator is given that paints a picture inside this frame.

    A border is as wide as the softness asks in pixels of the painting: across it the share of a style goes evenly from
    none to all.
    """
    count = len(placed.codes)
    numbers = torch.from_numpy(placed.numbers.astype(np.int64))[None]
    shares = class_shares(numbers, count, frame.height, frame.width)
    shares = _softened(shares, placed.softness * frame.height, frame.wrap)
    if placed.goes_over is not None:
        number, peak = placed.goes_over
        over = _going_over(frame.width, peak, frame.wrap[1])
        shares[:, number] += shares[:, 0] * over
        shares[:, 0] *= 1 - over
    codes = torch.from_numpy(np.ascontiguousarray(placed.codes, np.float32))
    return StyleMap(codes.to(device), frame.framed_planes(shares).to(device))


def _softened(shares: Tensor, width: float, wrap: Wrap) -> Tensor:
    """shares: (1, K, H, W); a mean over a square of about `width`, an odd number of pixels."""
    reach = min(int(width / 2), *((side - 1) // 2 for side in shares.shape[2:]))
    for rows in (True, False) if reach else ():
        pad = (0, 0, reach, reach) if rows else (reach, reach, 0, 0)
        padded = F.pad(shares, pad, mode="circular" if wrap[0 if rows else 1] else "replicate")
        shares = F.avg_pool2d(padded, (2 * reach + 1, 1) if rows else (1, 2 * reach + 1), 1)
    return shares


def _going_over(width: int, peak: float, goes_on: bool) -> Tensor:
    """(width,) from 0 to 1, which it is at `peak`: evenly, or where the picture goes on at its other side as a wave."""
    places = [(column + 0.5) / width for column in range(width)]
    if goes_on:
        return torch.tensor([(1 + cos(2 * pi * (place - peak))) / 2 for place in places])
    return torch.tensor([1 - abs(place - peak) / max(peak, 1 - peak) for place in places])
