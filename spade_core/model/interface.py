# SPDX-License-Identifier: Apache-2.0
"""What every generator offers, whatever it is made of: trainer, Synthesizer and export know no more than this."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from .config import ImageGeneratorConfig
from .style_map import Style

AfterBlock = Callable[[int], None]
"""Called with each block's index after it is done; may raise to stop."""
Config = TypeVar("Config", bound=ImageGeneratorConfig)


class ImageGenerator(nn.Module, ABC, Generic[Config]):
    """Label map (and style code, and noise) to image."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config

    @property
    @abstractmethod
    def block_count(self) -> int:
        """How many times forward calls after_block."""

    @property
    @abstractmethod
    def multiple(self) -> int:
        """A label map whose sides are multiples of this gives an image of its size, where the size is free."""

    @property
    def smallest_side(self) -> int:
        """A label map has at least as many rows and columns."""
        return self.multiple

    @property
    def fixed_size(self) -> tuple[int, int] | None:
        """(height, width) of every image, whatever the label map's; None where the image follows the label map."""
        return None

    @property
    def one_style(self) -> str:
        """Why it paints all of a picture in one style, as the end of a sentence; "" where a style map can be given."""
        return "it has no style code" if not self.config.style_size else "its network takes one code"

    def draw_noise(
        self, batch: int, height: int, width: int, random: torch.Generator | None = None
    ) -> list[Tensor]:
        """The noise planes of an image of this size, standard normal, on the CPU, so that a seed means the same
        everywhere; an empty list for a network without noise."""
        return []

    @abstractmethod
    def forward(
        self,
        labels: Tensor,
        style: Style | None = None,
        noise: list[Tensor] | None = None,
        after_block: AfterBlock | None = None,
    ) -> Tensor:
        """Paint a batch.

        labels: (B, input_channels, H, W) one-hot float; style: (B, style_size), or a map of
        several where it can be (see `one_style`), and noise as draw_noise gives it; each is drawn here where it is
        None, and ignored by a network that has none.
        Returns (B, 3, H', W') in [-1, 1]; H', W' are H, W where those are multiples of `multiple` and the size is free.
        """
