# SPDX-License-Identifier: Apache-2.0
"""A network's convolutions, each with the activation before it: by PyTorch, or in one pass over memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from torch import Tensor, nn

from .convolution import Convolution
from .features import Features

FEW_CHANNELS = 16
"""Of fewer that come in a convolution costs no more than its passes over memory do."""

Convolve: TypeAlias = Callable[[nn.Conv2d, Features], Tensor]


def convolved(layer: nn.Conv2d, features: Features) -> Tensor:
    """layer(features), as PyTorch has it, on any device, with gradients."""
    return layer(features.leaky(features.with_noise()))


class OnePass:
    """The same on a processor, without gradients, of the convolutions that a network has now: 3x3, with a bias, over a
    border of zeros. Equal to rounding; bfloat16: factors are rounded to that where layers.c knows it."""

    def __init__(self, network: nn.Module, bfloat16: bool) -> None:
        layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
        self._each = {layer: Convolution.of(layer) for layer in layers if layer.in_channels >= FEW_CHANNELS}
        self._bfloat16 = bfloat16

    def __call__(self, layer: nn.Conv2d, features: Features) -> Tensor:
        found = self._each.get(layer)
        return convolved(layer, features) if found is None else found(features, bfloat16=self._bfloat16)[0]
