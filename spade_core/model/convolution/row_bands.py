# SPDX-License-Identifier: Apache-2.0
"""Wide convolutions in bands of rows, so that a large picture can be stopped within a layer: with the very result of
the whole, which sums up each pixel in the same order.

On a processor only: a graphics card is given its work long before it is done.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

BAND_PIXELS = 2**17
"""Of one band: a tenth of a second or so of a layer's work."""


class RowBands:
    """Has a network's convolutions run in bands of rows, where a map has more than one.

    after_band is called between them, and may raise to stop.
    """

    def __init__(self, network: nn.Module) -> None:
        self.after_band: Callable[[], None] = _go_on
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d) and _keeps_size(layer):
                layer.forward = partial(  # type: ignore[method-assign]
                    self._run, layer.kernel_size[0] // 2, layer.forward
                )

    def _run(self, reach: int, layer: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """layer(x), which sees `reach` rows above and below each of its own; x: (B, C, H, W)."""
        height, width = x.shape[2:]
        rows = max(1, BAND_PIXELS // width)
        if height <= rows or torch.is_grad_enabled():
            return layer(x)
        result: Tensor | None = None
        for top in range(0, height, rows):
            self.after_band()
            first = max(top - reach, 0)
            band = layer(x[:, :, first : top + rows + reach])[:, :, top - first :][:, :, :rows]
            if result is None:
                size = (len(x), band.shape[1], height, width)
                result = band.new_empty(size).contiguous(memory_format=torch.channels_last)
            result[:, :, top : top + rows] = band
        assert result is not None
        return result


def _keeps_size(layer: nn.Conv2d) -> bool:
    kernel = layer.kernel_size[0]
    return layer.stride == (1, 1) and layer.dilation == (1, 1) and layer.padding == (kernel // 2, kernel // 2)


def _go_on() -> None:
    """Until somebody wants to be asked."""
