# SPDX-License-Identifier: Apache-2.0
"""The paper's "decoder w/ Concat" (section 4, table 3): labels beside the features where SPADE changes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from .config import DecoderConfig
from .decoder import Decoder, ResBlock
from .norms import learned_norm


@dataclass(frozen=True)
class ConcatConfig(DecoderConfig):
    """The decoder with the label map concatenated to the input of every convolution in its blocks.

    The paper says no more than "feature concatenation in the channel direction" "at all the intermediate layers". Here
    the labels follow the norm, which would wash them out, and batch norms have the scale and shift of their own that
    SPADE replaces.
    """

    kind: ClassVar[str] = "concat"


class ConcatDecoder(Decoder[ConcatConfig]):
    """The paper's generator without SPADE."""

    def block(self, fan_in: int, fan_out: int, step: int) -> ResBlock:
        return ConcatResBlock(self.config, fan_in, fan_out)


class ConcatResBlock(ResBlock):
    """With labels beside every normalised feature map."""

    def __init__(self, config: ConcatConfig, fan_in: int, fan_out: int) -> None:
        super().__init__(config, fan_in, fan_out, further=config.input_channels)
        self.add_norms(lambda channels: ConcatNorm(config, channels), fan_in, fan_out)


class ConcatNorm(nn.Module):
    """Normalise, then put the labels beside; an activation that follows leaves zeros and ones as they are."""

    def __init__(self, config: ConcatConfig, channels: int) -> None:
        super().__init__()
        self.norm = learned_norm(config.norm, channels)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        """x: (B, C, h, w); labels: (B, classes, h, w). Returns (B, C + classes, h, w)."""
        normed = self.norm(x)
        return torch.cat([normed, labels.to(normed.dtype)], dim=1)
