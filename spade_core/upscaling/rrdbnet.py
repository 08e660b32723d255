# SPDX-License-Identifier: Apache-2.0
"""RRDBNet, the generator of ESRGAN (ECCV workshops 2018) as Real-ESRGAN (ICCV workshops 2021) trains it for x4plus.

Residual-in-residual dense blocks at the small size, then two nearest doublings with a convolution each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..model.convolution.features import Features
from ..model.convolution.one_pass import Convolve, convolved
from .tiling import LayerRunner, whole

LEAK = 0.2
RESIDUAL = 0.2
"""What every residual is scaled by (ESRGAN, section 3.1)."""
DENSE_CONVOLUTIONS = 5
DENSE_BLOCKS = 3
BLOCK_REACH = DENSE_CONVOLUTIONS * DENSE_BLOCKS
ENLARGING_REACH = 2
"""One pixel at twice the size and three at four times come to less than two."""
SCALE = 4


@dataclass(frozen=True)
class RrdbNetConfig:
    """The defaults are x4plus's: 16.7 million numbers."""

    kind: ClassVar[str] = "rrdbnet"

    width: int = 64
    """Channels between the blocks."""
    growth: int = 32
    """Channels that each convolution of a dense block adds."""
    blocks: int = 23


class RrdbNet(nn.Module):
    """Four times each side, for inference: its layers overwrite what they no longer need."""

    scale = SCALE
    knows_bfloat16 = True

    def __init__(self, config: RrdbNetConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        # Made in the order of the published files, which is the order of the forward pass.
        self.head = _conv(3, width)
        self.blocks = nn.ModuleList(ResidualInResidual(width, config.growth) for _ in range(config.blocks))
        self.body_end = _conv(width, width)
        self.doublings = nn.ModuleList(_conv(width, width) for _ in range(2))
        self.refine = _conv(width, width)
        self.tail = _conv(width, 3)
        self.convolve = convolved

    @property
    def convolve(self) -> Convolve:
        """What its convolutions are computed by."""
        return self._convolve

    @convolve.setter
    def convolve(self, by: Convolve) -> None:
        self._convolve = by
        for module in self.modules():
            if isinstance(module, DenseBlock):
                module.convolve = by

    @property
    def stages(self) -> int:
        """How often `forward` calls `run`."""
        return len(self.blocks) + 3

    def forward(self, x: Tensor, run: LayerRunner = whole) -> Tensor:
        """x: (B, 3, H, W) float32 in [0, 1]; returns (B, 3, 4 H, 4 W) float32, about in [0, 1]."""
        x = run(self.head, x.to(self.head.weight.dtype), 1)
        deep = x
        for block in self.blocks:
            deep = run(block, deep, BLOCK_REACH)
        deep = run(lambda x: self.convolve(self.body_end, Features(x)), deep, 1)
        return run(self._enlarged, x + deep, ENLARGING_REACH, SCALE)

    def _enlarged(self, x: Tensor) -> Tensor:
        first, second = self.doublings
        x = self.convolve(first, Features(x, "nearest"))
        # Of the nearest pixel the activation is that of the pixel.
        x = self.convolve(second, Features(x, "nearest", slope=LEAK))
        x = self.convolve(self.refine, Features(x, slope=LEAK))
        return self.convolve(self.tail, Features(x, slope=LEAK)).float()


class ResidualInResidual(nn.Module):
    """Three dense blocks and a residual around them."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.dense = nn.Sequential(*(DenseBlock(width, growth) for _ in range(DENSE_BLOCKS)))

    def forward(self, x: Tensor) -> Tensor:
        return x + RESIDUAL * self.dense(x)


class DenseBlock(nn.Module):
    """Five convolutions, each of which sees what all before it made."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        last = DENSE_CONVOLUTIONS - 1
        self.convs = nn.ModuleList(
            _conv(width + index * growth, width if index == last else growth)
            for index in range(DENSE_CONVOLUTIONS)
        )
        self.convolve: Convolve = convolved

    def forward(self, x: Tensor) -> Tensor:
        *growing, last = self.convs
        seen = x
        for conv in growing:
            more = F.leaky_relu_(self.convolve(conv, Features(seen)), LEAK)
            seen = torch.cat([seen, more], dim=1)
        return x + RESIDUAL * self.convolve(last, Features(seen))


def _conv(fan_in: int, width: int) -> nn.Conv2d:
    return nn.Conv2d(fan_in, width, 3, padding=1)
