# SPDX-License-Identifier: Apache-2.0
"""The embedded upscaler: all convolutions at the small size, one pixel shuffle at the end.

Its shape is that of Real-ESRGAN's compact networks (SRVGGNetCompact), which tools/distill_upscaler.py starts from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

SCALE = 4
LAYERS_A_REPORT = 8
"""Layers between two reports of progress."""


@dataclass(frozen=True)
class CompactConfig:
    """The defaults are the embedded network's: 0.62 million numbers."""

    kind: ClassVar[str] = "compact"

    width: int = 64
    layers: int = 16
    """Convolutions of `width` to `width` channels, between the first and the last."""


class CompactNet(nn.Module):
    """Four times the pixels: what it adds to the nearest enlargement."""

    def __init__(self, config: CompactConfig) -> None:
        super().__init__()
        self.config = config
        layers: list[nn.Module] = []
        for fan_in in [3, *[config.width] * config.layers]:
            layers += [nn.Conv2d(fan_in, config.width, 3, padding=1), nn.PReLU(config.width)]
        self.body = nn.Sequential(*layers, nn.Conv2d(config.width, 3 * SCALE**2, 3, padding=1))

    def forward(self, x: Tensor, after_block: Callable[[float], None] | None = None) -> Tensor:
        """x: (B, 3, H, W) in [0, 1]; returns (B, 3, 4 H, 4 W), about in [0, 1].

        after_block is told the share of the layers that is done, and may raise to stop.
        """
        deep = x
        for index, layer in enumerate(self.body, start=1):
            deep = layer(deep)
            if after_block is not None and index % LAYERS_A_REPORT == 0:
                after_block(index / len(self.body))
        return F.pixel_shuffle(deep, SCALE) + F.interpolate(x, scale_factor=SCALE, mode="nearest")
