# SPDX-License-Identifier: Apache-2.0
"""A network's layers over a large picture, tile by tile, with the very result that they have on the whole of it.

Each group of layers reads as many pixels beyond its tile as it can see, so tiles leave no seams: a margin around the
whole network would have to be hundreds of pixels wide for that. Tiles follow from the picture's size alone, never from
the memory that is free: the same picture is always computed alike.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from ..contract.messages import Wrap

SIDE = 256
"""Pixels of a tile's longest side at a network's input: x4plus holds 0.5 GB of such a one where it is largest."""

Layer = Callable[[Tensor], Tensor]


class LayerRunner(Protocol):
    """How a network runs its layers."""

    def __call__(self, layer: Layer, x: Tensor, reach: int, scale: int = 1) -> Tensor:
        """layer(x), whose result is `scale` times as large and sees `reach` pixels of x around each of its own."""
        ...


def whole(layer: Layer, x: Tensor, reach: int, scale: int = 1) -> Tensor:
    """The LayerRunner that cuts nothing, as in training."""
    return layer(x)


class Tiling:
    """The LayerRunner for one picture of any size."""

    def __init__(self, wrap: Wrap, pixels_done: Callable[[int], None]) -> None:
        """pixels_done is told after each tile how many it had, and may raise to stop."""
        self.wrap, self.pixels_done = wrap, pixels_done

    def __call__(self, layer: Layer, x: Tensor, reach: int, scale: int = 1) -> Tensor:
        """x: (1, C, H, W), at least `reach` long where it wraps."""
        height, width = x.shape[2:]
        x = wrapped(x, reach, self.wrap)
        above, left = (reach if around else 0 for around in self.wrap)
        result: Tensor | None = None
        for (top, bottom), (first, last) in product(spans(height), spans(width)):
            rows = seen(top + above, bottom + above, reach, x.shape[2])
            columns = seen(first + left, last + left, reach, x.shape[3])
            tile = layer(x[:, :, rows, columns].contiguous(memory_format=torch.channels_last))
            if result is None:
                size = (1, tile.shape[1], scale * height, scale * width)
                result = torch.empty(
                    size, dtype=tile.dtype, device=tile.device, memory_format=torch.channels_last
                )
            place = result[:, :, scale * top : scale * bottom, scale * first : scale * last]
            row, column = scale * (top + above - rows.start), scale * (first + left - columns.start)
            place.copy_(tile[:, :, row : row + place.shape[2], column : column + place.shape[3]])
            self.pixels_done((bottom - top) * (last - first))
        assert result is not None
        return result


def spans(length: int) -> list[tuple[int, int]]:
    """(start, stop) of as few tiles as SIDE allows, of equal length to within a pixel."""
    count = -(-length // SIDE)
    return [(index * length // count, (index + 1) * length // count) for index in range(count)]


def seen(start: int, stop: int, reach: int, length: int) -> slice:
    """`start` to `stop` and what lies within reach of them."""
    return slice(max(start - reach, 0), min(stop + reach, length))


def wrapped(x: Tensor, reach: int, wrap: Wrap) -> Tensor:
    """(B, C, H, W) with `reach` pixels of its other end before and behind each axis that wraps."""
    rows, columns = (reach if around else 0 for around in wrap)
    return F.pad(x, (columns, columns, rows, rows), mode="circular") if rows or columns else x
