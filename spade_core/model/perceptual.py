# SPDX-License-Identifier: Apache-2.0
"""How far a generated image is from its photo, seen through a network that knows images."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, cast

import torch
from torch import Tensor, nn

from .judge import Seen
from .vgg19 import Vgg19

VGG_WEIGHTS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)
CRN_WEIGHTS = (1.0,) * 5
"""Cascaded refinement: one over the number of elements of each layer, which is what a mean does."""
TAP_WEIGHTS = (1.0, 1.0, 1.0, 1.0, 0.5)
"""Their sum over the taps is divided by the number of taps."""


class PerceptualLoss(nn.Module):
    """L1 distance of features."""

    looks_at_taps: ClassVar[bool] = False

    @abstractmethod
    def forward(self, generated: Seen, photos: Seen) -> Tensor:
        """One distance a picture, (B,); gradients reach the generated images alone."""


class VggPerceptualLoss(PerceptualLoss):
    """VGG19's; weighted as the published loss weighs them (pix2pixHD, SPADE) where nothing else is said."""

    def __init__(self, vgg: Vgg19, weights: tuple[float, ...] = VGG_WEIGHTS) -> None:
        super().__init__()
        self.vgg, self.weights = vgg, weights

    def forward(self, generated: Seen, photos: Seen) -> Tensor:
        with torch.no_grad():
            theirs = self.vgg(photos.image)
        return distance(self.vgg(generated.image), theirs, self.weights)


class TapPerceptualLoss(PerceptualLoss):
    """The frozen pyramid's taps: nothing to compute where a discriminator looks at them too."""

    looks_at_taps = True

    def forward(self, generated: Seen, photos: Seen) -> Tensor:
        return distance(generated.taps, photos.taps, TAP_WEIGHTS) / len(TAP_WEIGHTS)


def distance(ours: list[Tensor], theirs: list[Tensor], weights: tuple[float, ...]) -> Tensor:
    """Weighted sum over the layers of each picture's mean absolute difference: (B,)."""
    return cast(
        Tensor,
        sum(
            weight * (our - their).abs().float().mean((1, 2, 3))
            for weight, our, their in zip(weights, ours, theirs, strict=True)
        ),
    )
