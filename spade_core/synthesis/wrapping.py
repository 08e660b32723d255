# SPDX-License-Identifier: Apache-2.0
"""Feature maps whose ends meet: convolutions and upsampling see the other end where a map has one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

from ..contract.messages import NOWHERE, Wrap


class Wrapping:
    """Has a network's convolutions see around the axes of `axes`, which may be changed at any time."""

    def __init__(self, network: nn.Module) -> None:
        self.axes = NOWHERE
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d) and layer.kernel_size[0] > 1:
                layer.forward = partial(  # type: ignore[method-assign]
                    self._run, layer.kernel_size[0] // 2, layer.forward
                )

    def _run(self, reach: int, layer: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        return around(layer, x, reach, self.axes)


def around(layer: Callable[[Tensor], Tensor], x: Tensor, reach: int, axes: Wrap, scale: int = 1) -> Tensor:
    """layer(x), which sees `reach` pixels around each of its own and is `scale` times as large, of a map (B, C, H, W)
    that goes on at its other end."""
    rows, columns = (reach if goes_on else 0 for goes_on in axes)
    if not rows and not columns:
        return layer(x)
    y = layer(F.pad(x, (columns, columns, rows, rows), mode="circular"))
    rows, columns = scale * rows, scale * columns
    return y[..., rows : y.shape[-2] - rows, columns : y.shape[-1] - columns]
