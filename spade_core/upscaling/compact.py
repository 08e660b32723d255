# SPDX-License-Identifier: Apache-2.0
"""The embedded upscaler: all convolutions at the small size, one pixel shuffle at the end.

Its shape is that of Real-ESRGAN's compact networks (SRVGGNetCompact), which tools/distill_upscaler.py starts from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from ..model.convolution.features import Features
from ..model.convolution.one_pass import Convolve, convolved
from .tiling import LayerRunner, whole

SCALE = 4
CONVOLUTIONS_A_RUN = 8
"""That a tile goes through at once; they see eight pixels around."""


@dataclass(frozen=True)
class CompactConfig:
    """The defaults are the embedded network's: 0.62 million numbers."""

    kind: ClassVar[str] = "compact"

    width: int = 64
    layers: int = 16
    """Convolutions of `width` to `width` channels, between the first and the last."""


class CompactNet(nn.Module):
    """Four times each side: what it adds to the nearest enlargement."""

    scale = SCALE
    knows_bfloat16 = True

    def __init__(self, config: CompactConfig) -> None:
        super().__init__()
        self.config = config
        layers: list[nn.Module] = []
        for fan_in in [3, *[config.width] * config.layers]:
            layers += [nn.Conv2d(fan_in, config.width, 3, padding=1), nn.PReLU(config.width)]
        self.body = nn.Sequential(*layers, nn.Conv2d(config.width, 3 * SCALE**2, 3, padding=1))
        self.convolve: Convolve = convolved

    @property
    def stages(self) -> int:
        """How often `forward` calls `run`."""
        return -(-(len(self.body) // 2 + 1) // CONVOLUTIONS_A_RUN)

    def forward(self, x: Tensor, run: LayerRunner = whole) -> Tensor:
        """x: (B, 3, H, W) float32 in [0, 1]; returns (B, 3, 4 H, 4 W) float32, about in [0, 1]."""
        deep = x.to(next(self.parameters()).dtype)
        layers = list(zip(self.body[0::2], [None, *self.body[1::2]], strict=True))
        for start in range(0, len(layers), CONVOLUTIONS_A_RUN):
            some = layers[start : start + CONVOLUTIONS_A_RUN]
            deep = run(partial(self._through, some), deep, len(some))
        # What is added may be coarse, the picture may not: bfloat16 has fewer steps than a byte above one half.
        return F.pixel_shuffle(deep.float(), SCALE) + F.interpolate(x, scale_factor=SCALE, mode="nearest")

    def _through(self, layers: Sequence[tuple[Any, Any]], x: Tensor) -> Tensor:
        """Convolutions, each with the activation before it, or None."""
        for layer, activation in layers:
            x = self.convolve(layer, Features(x, slopes=None if activation is None else activation.weight))
        return x
