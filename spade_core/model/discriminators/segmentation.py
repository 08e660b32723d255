# SPDX-License-Identifier: Apache-2.0
"""A discriminator that segments: of every pixel, which class it shows, or that it was generated.

"You Only Need Adversarial Supervision for Semantic Image Synthesis" (OASIS, ICLR 2021), section 3.1: a U-Net of
residual blocks under spectral norm, without any other norm. It sees the image alone; the label map is its target.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..layers import LEAK, conv
from ..norms import spectral_norm
from .interface import Discriminator, DiscriminatorInput, DiscriminatorOutput

DOWN = (1, 1, 2, 2, 4, 4)
"""Channels of the encoder's six stages, in base widths; each halves the picture."""

UP = (4, 2, 2, 1, 1, 0.5)
"""And of the decoder's, from the coarsest; each doubles it."""


@dataclass(frozen=True)
class SegmentationConfig:
    """The defaults are the paper's network for pictures of 256x256."""

    kind: ClassVar[str] = "segmentation"

    base_width: int = 128
    """Channels of the first stage; four times as many at the coarsest."""
    stages: int = 6
    """How often the picture is halved, 2 to 6; its sides are multiples of 2**stages."""


class SegmentationDiscriminator(Discriminator):
    """Image to class logits."""

    def __init__(self, config: SegmentationConfig, label_channels: int) -> None:
        super().__init__()
        self.config = config
        down = [int(config.base_width * part) for part in DOWN[: config.stages]]
        up = [int(config.base_width * part) for part in UP[-config.stages :]]
        self.down = nn.ModuleList(
            ResidualStage(fan_in, fan_out, active=fan_in != 3)
            for fan_in, fan_out in zip([3, *down[:-1]], down, strict=True)
        )
        # The coarsest features have no twin to be joined with; every later stage has the encoder's of its size.
        skipped = [0, *reversed(down[:-1])]
        self.up = nn.ModuleList(
            ResidualStage(before + skip, fan_out)
            for before, skip, fan_out in zip([down[-1], *up[:-1]], skipped, up, strict=True)
        )
        self.logits = conv(up[-1], label_channels + 1, 1)

    def forward(self, seen: DiscriminatorInput) -> DiscriminatorOutput:
        x, skips = seen.image, []
        for stage in self.down:
            x = F.avg_pool2d(stage(x), 2)
            skips.append(x)
        skips.pop()
        for index, stage in enumerate(self.up):
            if index:
                x = torch.cat([x, skips.pop()], dim=1)
            x = stage(F.interpolate(x, scale_factor=2, mode="nearest"))
        return DiscriminatorOutput(class_logits=self.logits(F.leaky_relu(x, LEAK)))


class ResidualStage(nn.Module):
    """Two convolutions and a learned shortcut, at one size: (B, fan_in, h, w) to (B, fan_out, h, w)."""

    def __init__(self, fan_in: int, fan_out: int, active: bool = True) -> None:
        """active: whether the input goes through the nonlinearity first; an image does not."""
        super().__init__()
        self.active = active
        self.conv_0 = spectral_norm(conv(fan_in, fan_out, 3))
        self.conv_1 = spectral_norm(conv(fan_out, fan_out, 3))
        self.conv_s = spectral_norm(conv(fan_in, fan_out, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        dx = self.conv_0(F.leaky_relu(x, LEAK) if self.active else x)
        return self.conv_s(x) + self.conv_1(F.leaky_relu(dx, LEAK))
