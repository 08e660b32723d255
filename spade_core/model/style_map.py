# SPDX-License-Identifier: Apache-2.0
"""Several styles in one picture: a share of each at every pixel, in place of one code for all of them.

A code enters a decoder through linear layers alone, at the start and, where a network has it so, in the label path of
every block. So a mixture of codes is a mixture of what the layers make of them, pixel by pixel, and a network whose
norms see no more than a pixel needs no training for it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class StyleMap:
    """codes: (K, Z). shares: (1, K, H, W) from 0 to 1, of sum 1 at every pixel, of the scale that is looked at or of
    one that is a whole number of times finer."""

    codes: Tensor
    shares: Tensor

    def of_layer(self, layer: nn.Linear) -> Tensor:
        """(K, width): what a layer makes of each code."""
        return layer(self.codes)

    def at(self, height: int, width: int) -> Tensor:
        """(1, K, height, width) shares of a scale."""
        if self.shares.shape[-2:] == (height, width):
            return self.shares
        return F.adaptive_avg_pool2d(self.shares, (height, width))

    def planes(self, layer: nn.Linear, height: int, width: int) -> Tensor:
        """(1, width of the layer, height, width): what a layer makes of the style at every pixel."""
        return F.conv2d(self.at(height, width), self.of_layer(layer).T[:, :, None, None])


Style = Tensor | StyleMap
"""(B, Z), or a map."""


def added(x: Tensor, layer: nn.Linear, style: Style) -> Tensor:
    """x, (B, C, h, w), with what a layer makes of the style added to every pixel."""
    if isinstance(style, StyleMap):
        return x + style.planes(layer, *x.shape[-2:])
    return x + layer(style)[:, :, None, None]
