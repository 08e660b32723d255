# SPDX-License-Identifier: Apache-2.0
"""A convolution and all that comes before it, as plain PyTorch and as layers.c has it.

The plain one is the specification.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..fused.library import in_threads
from . import row_bands
from .features import Features
from .library import (
    MOST_CHANNELS,
    ConvolutionArgument,
    FeaturesArgument,
    has_bfloat16,
    library,
    loaded,
    pointer,
)
from .matrices import in_twos, panels, transformed

MANY_PIXELS, FEW_WEIGHTS = 1024, 2**16
"""A map of so many pixels, or a layer of so few weights, is worth tiles of 4 and their larger weights."""


class Shortcut:
    """A learned shortcut: a 1x1 convolution without bias."""

    def __init__(self, layer: nn.Conv2d) -> None:
        self.weight, self.fan_out = layer.weight.detach(), layer.out_channels
        self._packed: dict[bool, Tensor] = {}

    def plain(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight)

    def packed(self, lanes: int, bfloat16: bool) -> Tensor:
        """As layers.c wants it."""
        if bfloat16 not in self._packed:
            packed = panels(self.weight[:, :, 0, 0].T, lanes)
            self._packed[bfloat16] = in_twos(packed) if bfloat16 else packed
        return self._packed[bfloat16]


class Convolution:
    """A convolution that keeps the size, and what comes before it."""

    def __init__(self, weight: Tensor, bias: Tensor, by_tiles: bool = True) -> None:
        """weight: (out, in, k, k). by_tiles: whether it may round in one way in one pixel, in another way in the next;
        other kernels than 3 do not."""
        self.weight, self.bias = weight, bias.contiguous()
        self.fan_out, fan_in, self._kernel = weight.shape[:3]
        self._by_tiles = by_tiles and self._kernel == 3 and max(fan_in, self.fan_out) <= MOST_CHANNELS
        self._few_weights = fan_in * self.fan_out <= FEW_WEIGHTS
        self._packed: dict[tuple[int, bool], Tensor] = {}

    @classmethod
    def of(cls, layer: nn.Conv2d, by_tiles: bool = True) -> Convolution:
        assert layer.bias is not None
        return cls(layer.weight.detach(), layer.bias.detach(), by_tiles)

    def __call__(
        self,
        features: Features,
        after_band: Callable[[], None] | None = None,
        *,
        added: Tensor | None = None,
        shortcut: Shortcut | None = None,
        skip: bool = False,
        bfloat16: bool = False,
        tile: int | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """conv(features) + added; and where skip is wanted, what goes around it: the features with their noise, or the
        shortcut's of them. Both (B, ., H, W), channels_last. after_band is called every so often, and may raise.
        bfloat16: whether factors may be rounded to that, where layers.c is at work and knows it. tile: instead of that
        of this size."""
        if not self._by_tiles or library() is None:
            return self.plain(features, added, shortcut, skip)
        return self._fused(features, after_band, added, shortcut, skip, bfloat16 and has_bfloat16(), tile)

    def tile_of(self, height: int, width: int) -> int:
        """The side of the tiles that a map of this size is computed in."""
        return 4 if self._few_weights or height * width >= MANY_PIXELS else 2

    def plain(
        self, features: Features, added: Tensor | None, shortcut: Shortcut | None, skip: bool
    ) -> tuple[Tensor, Tensor | None]:
        """As __call__, in plain PyTorch."""
        whole = features.with_noise()
        normed, around = features.normed(whole), whole if skip else None
        if features.table is None:
            seen = normed
        else:
            each = features.table.planes(*features.size).permute(0, 3, 1, 2).split(whole.shape[1], 1)
            seen = normed * each[0] + each[1]
            if skip and shortcut is not None:
                around = shortcut.plain(normed * each[2] + each[3])
        seen, reach = features.leaky(seen), self._kernel // 2
        if features.repeat_edge:
            result = F.conv2d(F.pad(seen, (reach,) * 4, mode="replicate"), self.weight, self.bias)
        else:
            result = F.conv2d(seen, self.weight, self.bias, padding=reach)
        return result if added is None else result + added, around

    def _fused(
        self,
        features: Features,
        after_band: Callable[[], None] | None,
        added: Tensor | None,
        shortcut: Shortcut | None,
        skip: bool,
        bfloat16: bool,
        tile: int | None,
    ) -> tuple[Tensor, Tensor | None]:
        pictures, (height, width) = len(features.x), features.size
        result = _channels_last(pictures, self.fan_out, height, width)
        around = None
        if skip:
            channels = features.x.shape[1] if shortcut is None else shortcut.fan_out
            around = _channels_last(pictures, channels, height, width)
        added = None if added is None else added.contiguous(memory_format=torch.channels_last)
        tile = tile or self.tile_of(height, width)
        for picture in range(pictures):
            kept: list[Tensor] = []
            of = features.argument(picture, kept)
            by = self._argument(picture, tile, bfloat16, result, added, shortcut, around)
            _run(of, by, height, width, after_band)
        return result, around

    def _argument(
        self,
        picture: int,
        tile: int,
        bfloat16: bool,
        result: Tensor,
        added: Tensor | None,
        shortcut: Shortcut | None,
        around: Tensor | None,
    ) -> ConvolutionArgument:
        lanes = loaded().lanes()
        kind = tile, bfloat16
        if kind not in self._packed:
            packed = transformed(self.weight, tile, lanes)
            self._packed[kind] = in_twos(packed) if bfloat16 else packed
        return ConvolutionArgument(
            weights=pointer(self._packed[kind]),
            bias=pointer(self.bias),
            added=None if added is None else pointer(added[picture]),
            result=pointer(result[picture]),
            shortcut=None
            if shortcut is None or around is None
            else pointer(shortcut.packed(lanes, bfloat16)),
            skip=None if around is None else pointer(around[picture]),
            fan_out=self.fan_out,
            skip_channels=0 if around is None else around.shape[1],
            tile=tile,
            bfloat16=bfloat16,
        )


def _run(
    of: FeaturesArgument,
    by: ConvolutionArgument,
    height: int,
    width: int,
    after_band: Callable[[], None] | None,
) -> None:
    found, threads = loaded(), torch.get_num_threads()
    arguments = ctypes.byref(of), ctypes.byref(by)
    step = found.rows_at_once(width, by.tile)
    scratch = torch.empty(threads, found.aside(*arguments))

    def work(part: int, first: int, last: int) -> None:
        for group in range(first // steps, -(-last // steps)):
            rows = (top + min(max(place - group * steps, 0), steps) * step for place in (first, last))
            begin, end = (min(row, height) for row in rows)
            found.convolve(*arguments, pointer(scratch[part]), begin, end, group, groups)

    pairs = -(-by.fan_out // (2 * found.lanes()))  # of panels
    band = max(1, row_bands.BAND_PIXELS // width // step) * step
    for top in range(0, height, band):
        if after_band is not None:
            after_band()
        steps = -(-min(band, height - top) // step)
        # Where a small map has fewer rows than there are threads, each computes some of the results.
        groups = min(pairs, -(-threads // steps))
        in_threads(work, steps * groups)


def _channels_last(*size: int) -> Tensor:
    return torch.empty(size, memory_format=torch.channels_last)
