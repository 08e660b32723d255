# SPDX-License-Identifier: Apache-2.0
"""Which style each pixel of a picture is painted in: from the places of a request to a network's style map."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..contract.messages import Wrap
from ..contract.placed_styles import PlacedStyle
from ..model.semantic_input import class_shares
from ..model.style_map import StyleMap
from .framing import Framing


@dataclass(frozen=True, eq=False)
class PlacedCodes:
    """codes: (K, style_size) float32, first the picture's own. numbers: (H, W) uint8, which of them a pixel has.
    softness: as in PictureRequest. goes_over: the number of the code that the picture's own goes over into, and where
    it has, 0 to 1 from the left side to the right; None where it stays."""

    codes: np.ndarray
    numbers: np.ndarray
    softness: float = 0.0
    goes_over: tuple[int, float] | None = None

    def simplified(self) -> PlacedCodes | np.ndarray:
        """The one code that all of the picture has, (style_size,), where that is so."""
        used = np.unique(self.numbers)
        if self.goes_over is not None and used[0] == 0:
            used = np.union1d(used, self.goes_over[0])
        return self.codes[used[0]] if (self.codes[used] == self.codes[used[0]]).all() else self


def numbers_of(
    label_map: np.ndarray, placed: tuple[PlacedStyle, ...], region_map: np.ndarray | None
) -> np.ndarray:
    """(H, W) uint8: 0 for the picture's own style, n for placed[n - 1]. label_map: (H, W) ids."""
    of_class = np.zeros(int(label_map.max(initial=0)) + 1, np.uint8)
    of_region = np.zeros(256, np.uint8)
    for number, each in enumerate(placed, 1):
        of_class[[class_id for class_id in each.classes if class_id < len(of_class)]] = number
        if each.region:
            of_region[each.region] = number
    numbers = of_class[label_map]
    if region_map is None:
        return numbers
    regions = of_region[region_map]
    return np.where(regions > 0, regions, numbers)


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
