# SPDX-License-Identifier: Apache-2.0
"""How a label map meets a generator that wants certain sizes, and how its image becomes the picture again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from ..contract.messages import NOWHERE, Wrap
from ..model.interface import ImageGenerator


@dataclass(frozen=True)
class Framing:
    """A picture of (height, width) inside what the generator paints."""

    height: int
    width: int
    fixed_size: tuple[int, int] | None = None
    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0
    wrap: Wrap = NOWHERE

    @classmethod
    def of(
        cls,
        generator: ImageGenerator,
        height: int,
        width: int,
        margin: int,
        wrap: Wrap = NOWHERE,
    ) -> Framing:
        """At least `margin` pixels beyond each side, up to the next size that the generator paints as asked.

        An axis that wraps has nothing beyond it, and is painted a little longer than asked where that has to be. A
        generator of one fixed size gets the whole map at that size.
        """
        if generator.fixed_size is not None:
            return cls(height, width, generator.fixed_size)
        step, smallest = generator.multiple, generator.smallest_side
        asked = [
            max(-(-side // step) * step, smallest) if goes_on else side
            for side, goes_on in zip((height, width), wrap, strict=True)
        ]
        extra = [
            0 if goes_on else max(-(-(side + 2 * margin) // step) * step, smallest) - side
            for side, goes_on in zip(asked, wrap, strict=True)
        ]
        top, left = extra[0] // 2, extra[1] // 2
        return cls(asked[0], asked[1], None, top, extra[0] - top, left, extra[1] - left, wrap)

    @property
    def framed_size(self) -> tuple[int, int]:
        """(height, width) of what the generator paints."""
        if self.fixed_size is not None:
            return self.fixed_size
        return self.top + self.height + self.bottom, self.left + self.width + self.right

    def sampled(self, ids: np.ndarray) -> np.ndarray:
        """Ids of any size at the picture's: the middle of what each of its pixels covers; averages would invent ids."""
        if ids.shape == (self.height, self.width):
            return ids
        return _middles(ids, (self.height, self.width))

    def framed_planes(self, planes: Tensor) -> Tensor:
        """(1, C, height, width) shares of classes, for the generator: with repeated edges, or at its fixed size."""
        if self.fixed_size is None:
            return F.pad(planes, (self.left, self.right, self.top, self.bottom), mode="replicate")
        return F.interpolate(planes, self.fixed_size, mode="area")

    def framed(self, ids: np.ndarray) -> np.ndarray:
        """(height, width) ids, for the generator: with repeated edges, or about as large as its fixed size."""
        if self.fixed_size is None:
            return np.pad(ids, ((self.top, self.bottom), (self.left, self.right)), mode="edge")
        # The network picks for itself, as the published one does, and cannot miss a border, which is two pixels wide.
        if all(new <= old < 2 * new for new, old in zip(self.fixed_size, ids.shape, strict=True)):
            return ids
        # The middle of every cell, as the published network's data are scaled; averaging would invent classes.
        return _middles(ids, self.fixed_size)

    def unframed(self, image: Tensor) -> Tensor:
        """The generator's (B, 3, H', W') image as (B, 3, height, width)."""
        if self.fixed_size is None:
            return image[..., self.top : self.top + self.height, self.left : self.left + self.width]
        if self.fixed_size == (self.height, self.width):
            return image
        return F.interpolate(
            image, (self.height, self.width), mode="bilinear", align_corners=False, antialias=True
        )


def _middles(ids: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    rows, columns = (
        ((np.arange(new) + 0.5) * old / new).astype(np.int64)
        for new, old in zip(size, ids.shape, strict=True)
    )
    return ids[rows[:, None], columns]
