# SPDX-License-Identifier: Apache-2.0
"""What a picture's parts are put onto."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ...pixels import as_array, to_rgb
from ...upscaling.resampling import resampled
from ..framing import Framing
from .region import Region


class Sheet:
    """A picture under way."""

    def __init__(self, frame: Framing, size: tuple[int, int], as_bytes: bool) -> None:
        """size: (height, width) of the picture, of which the framing's may differ where an axis wraps. as_bytes: uint8
        in place of float32 in [-1, 1]."""
        self._frame, self._size, self._as_bytes = frame, size, as_bytes
        painted = frame.height, frame.width
        self._at_once = as_bytes and painted == size
        self._pixels = np.empty((*painted, 3), np.uint8 if self._at_once else np.float32)

    def put(self, region: Region, image: Tensor) -> None:
        """image: (1, 3, h, w) in [-1, 1], the region of what the generator paints; what the picture shows of it."""
        frame = self._frame
        shown = Region(
            max(region.top, frame.top),
            min(region.bottom, frame.top + frame.height),
            max(region.left, frame.left),
            min(region.right, frame.left + frame.width),
        )
        if shown.height <= 0 or shown.width <= 0:
            return
        part = shown.cut(image, region)[0]
        rows = slice(shown.top - frame.top, shown.bottom - frame.top)
        columns = slice(shown.left - frame.left, shown.right - frame.left)
        self._pixels[rows, columns] = to_rgb(part) if self._at_once else as_array(part)

    def picture(self) -> np.ndarray:
        """(height, width, 3)."""
        pixels = self._pixels
        if pixels.shape[:2] != self._size:
            planes = torch.from_numpy(pixels).permute(2, 0, 1)[None]
            pixels = as_array(resampled(planes, *self._size, self._frame.wrap)[0].clamp(-1, 1))
        if self._as_bytes and pixels.dtype != np.uint8:
            pixels = to_rgb(torch.from_numpy(pixels).permute(2, 0, 1))
        return pixels
