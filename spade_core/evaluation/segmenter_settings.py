# SPDX-License-Identifier: Apache-2.0
"""What our own segmenter is trained with. Apart, so that the command line need not load torch to show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import tyro

from ..contract.errors import BadOptionError


@dataclass(frozen=True)
class SegmenterTraining:
    """What a segmenter is trained with; kept in its file."""

    FIRST: ClassVar = ("crops", "passes", "size", "seed")

    crops: Annotated[int, tyro.conf.arg(aliases=["--squares"])] = 8000
    """augmented crops whose frozen features are kept on disk while it trains (100 KB each at 128)"""
    passes: int = 6
    """how often the decoder sees each of them, mirrored half of the time"""
    size: int = 128
    """side of the crops in pixels, a multiple of 32"""
    max_scale: float = 2.0
    """photos are resized to between 1 and this many times that side before they are cropped"""
    batch: int = 16
    """crops in a step"""
    rate: float = 2e-3
    """Adam step at its highest: it rises over the first twentieth and falls along a cosine"""
    width: int = 96
    """channels of the decoder"""
    seed: int = 1
    """of weights, crops and order"""

    def __post_init__(self) -> None:
        """Raises BadOptionError."""
        if self.size < 32 or self.size % 32:
            raise BadOptionError(
                f"Crops of {self.size} pixels cannot be trained on.", "Choose a multiple of 32."
            )
        if min(self.crops, self.passes, self.batch, self.width) < 1 or self.rate <= 0 or self.max_scale < 1:
            raise BadOptionError(
                "A number of the training is too small.", "Choose numbers above 0, and a scale of 1 or more."
            )

    @property
    def steps(self) -> int:
        return max(1, self.passes * self.crops // self.batch)
