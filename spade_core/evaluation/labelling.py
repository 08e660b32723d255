# SPDX-License-Identifier: Apache-2.0
"""Label maps for photos that nobody has labelled: a segmenter's, as far as it is sure, without specks.

So the paper labelled its Flickr Landscapes, with a DeepLab that had learned COCO-Stuff.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..contract.errors import BadOptionError
from ..data.grey_box.regions import without_small
from .segmenter import Segmenter

OPEN = -1
"""Of a place: no class, because none is sure, or because it shows something that the label set does not have."""

STRIDE = 32
"""What a network looks at has sides of multiples of this."""

LONGEST = 4
"""How many times the short side the long one may be."""

BAND_VALUES = 2**24
"""How many shares are spread over the photo at once."""


@dataclass(frozen=True)
class Labelling:
    """How photos are labelled."""

    sure: float = 0.5
    """from this confidence on a pixel keeps its class (0 to 1)"""
    smallest: float = 0.0005
    """regions of a smaller share of the photo go to the neighbour that they border on most"""
    side: int = 0
    """short side in pixels at which the segmenter sees a photo; 0: what it was trained for"""

    def __post_init__(self) -> None:
        """Raises BadOptionError."""
        if not 0 <= self.sure <= 1 or not 0 <= self.smallest < 1:
            raise BadOptionError("A share is between 0 and 1.", "Choose --sure and --smallest so.")
        if self.side and self.side < STRIDE:
            raise BadOptionError(f"A side of {self.side} pixels shows nothing.", f"Choose {STRIDE} or more.")


@dataclass(frozen=True)
class Labelled:
    """places: (H, W) int32, of the label set's classes, or OPEN. confidence: (H, W) float32, of the most likely class,
    in 0..1."""

    places: np.ndarray
    confidence: np.ndarray


def labelled(segmenter: Segmenter, photo: np.ndarray, how: Labelling) -> Labelled:
    """The label map of a photo, (H, W, 3) uint8, upright: the mean of what is seen in it and in its mirror image."""
    small = _scaled(photo, how.side or segmenter.side)
    seen = segmenter.shares(small)
    mirrored = segmenter.shares(np.ascontiguousarray(small[:, ::-1])).flip(-1)
    places, confidence = _spread((seen + mirrored) / 2, *photo.shape[:2])
    nothing = len(segmenter.known_classes)
    sure = np.where((confidence < how.sure) | (places == nothing), nothing, places)
    whole = without_small(sure, round(how.smallest * sure.size))
    return Labelled(np.where(whole == nothing, OPEN, whole).astype(np.int32), confidence)


def _scaled(photo: np.ndarray, side: int) -> np.ndarray:
    height, width = photo.shape[:2]
    scale = min(side / min(height, width), LONGEST * side / max(height, width))
    target = [max(STRIDE, round(length * scale / STRIDE) * STRIDE) for length in (width, height)]
    return np.asarray(Image.fromarray(photo).resize((target[0], target[1]), Image.Resampling.LANCZOS))


def _spread(shares: Tensor, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """The most likely place of each pixel, and its share. shares: (n, h, w).

    A band of rows at a time: a hundred classes of a camera's photo would take gigabytes.
    """
    rows, columns = (
        _bilinear(short, long).to(shares)
        for short, long in zip(shares.shape[-2:], (height, width), strict=True)
    )
    step = max(1, BAND_VALUES // (shares.shape[0] * width))
    best = [
        torch.einsum("rh,nhw,cw->nrc", rows[top : top + step], shares, columns).max(0)
        for top in range(0, height, step)
    ]
    places = torch.cat([each.indices for each in best]).to(torch.int32)
    return places.cpu().numpy(), torch.cat([each.values for each in best]).float().cpu().numpy()


def _bilinear(short: int, long: int) -> Tensor:
    """(long, short) weights that take a line of pixels to another length, as interpolation without aligned corners."""
    position = ((torch.arange(long) + 0.5) * short / long - 0.5).clamp(0, short - 1)
    low = position.floor().long()
    weights = torch.zeros(long, short)
    weights.scatter_add_(1, low[:, None], (1 - (position - low))[:, None])
    return weights.scatter_add_(1, (low + 1).clamp(max=short - 1)[:, None], (position - low)[:, None])
