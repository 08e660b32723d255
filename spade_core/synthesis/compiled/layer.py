# SPDX-License-Identifier: Apache-2.0
"""A layer of the generator: norm, scale and shift, activation and convolution, as plain PyTorch and as layers.c has it.

The plain one is the specification, and computes small maps, of which nothing is gained.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...model.fused.library import in_threads
from .. import row_bands
from .label_path import Table
from .library import MOST_CHANNELS, ConvolutionArgument, FeaturesArgument, library, pointer
from .winograd import panels, transformed

Doubling = Literal["none", "nearest", "bilinear"]
Normalisation = Literal["none", "pixel", "channel"]
DOUBLINGS: tuple[Doubling, ...] = ("none", "nearest", "bilinear")
NORMALISATIONS: tuple[Normalisation, ...] = ("none", "pixel", "channel")
EPS = 1e-5
LEAST_PIXELS = 1024
"""Of a map that is worth layers.c: below, reading its larger weights takes longer than it saves."""


@dataclass(frozen=True, eq=False)
class Features:
    """What a convolution is given: leaky(N(doubled(x) + strength * noise) * scale + shift), its edge repeated or zeros
    past it.

    x: (B, C, h, w) float32, channels_last. noise: (B, 1, H, W). strength: (C,). moments, of the norm "channel": mean
    and 1 / standard deviation, (B or 1, C). table: 2 C wide, or 4 C where there is a shortcut, which sees
    N(...) * scale' + shift' by the second half.
    """

    x: Tensor
    doubling: Doubling = "none"
    noise: Tensor | None = None
    strength: Tensor | None = None
    norm: Normalisation = "none"
    moments: tuple[Tensor, Tensor] | None = None
    table: Table | None = None
    slope: float = 1.0
    repeat_edge: bool = False

    @property
    def size(self) -> tuple[int, int]:
        factor = 1 if self.doubling == "none" else 2
        return factor * self.x.shape[2], factor * self.x.shape[3]

    def with_norm(self, norm: Normalisation, moments: tuple[Tensor, Tensor] | None = None) -> Features:
        return replace(self, norm=norm, moments=moments)

    def with_noise(self) -> Tensor:
        """(B, C, H, W): doubled(x) + strength * noise."""
        x = self.x
        if self.doubling == "bilinear":
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        elif self.doubling == "nearest":
            x = F.interpolate(x, scale_factor=2, mode="nearest")
        if self.noise is None or self.strength is None:
            return x
        return torch.addcmul(x, self.strength.view(1, -1, 1, 1), self.noise)

    def normed(self, x: Tensor) -> Tensor:
        if self.norm == "pixel":
            return F.layer_norm(x.permute(0, 2, 3, 1), (x.shape[1],), eps=EPS).permute(0, 3, 1, 2)
        if self.moments is not None:
            mean, scale = (each[:, :, None, None] for each in self.moments)
            return (x - mean) * scale
        return x


class Shortcut:
    """A learned shortcut: a 1x1 convolution without bias."""

    def __init__(self, layer: nn.Conv2d) -> None:
        self.weight, self.fan_out = layer.weight.detach(), layer.out_channels
        self._packed: Tensor | None = None

    def plain(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight)

    def packed(self, lanes: int) -> Tensor:
        if self._packed is None:
            self._packed = panels(self.weight[:, :, 0, 0].T, lanes)
        return self._packed


class Convolution:
    """A 3x3 convolution and what comes before it."""

    def __init__(self, layer: nn.Conv2d, by_tiles: bool = True) -> None:
        """by_tiles: whether it may round in one way in one pixel, in another way in the next."""
        assert layer.bias is not None and layer.kernel_size == (3, 3)
        self._by_tiles = by_tiles
        self.weight = layer.weight.detach().contiguous(memory_format=torch.channels_last)
        self.bias, self.fan_out = layer.bias.detach().contiguous(), layer.out_channels
        self._packed: Tensor | None = None

    def __call__(
        self,
        features: Features,
        after_band: Callable[[], None],
        *,
        added: Tensor | None = None,
        shortcut: Shortcut | None = None,
        skip: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """conv(features) + added; and where skip is wanted, what goes around it: the features with their noise, or the
        shortcut's of them. Both (B, ., H, W), channels_last. after_band is called every so often, and may raise."""
        height, width = features.size
        wide = max(features.x.shape[1], self.fan_out) > MOST_CHANNELS
        if not self._by_tiles or height * width < LEAST_PIXELS or wide or library() is None:
            return self.plain(features, added, shortcut, skip)
        return self._fused(features, after_band, added, shortcut, skip)

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
        seen = F.leaky_relu(seen, features.slope)
        if features.repeat_edge:
            result = F.conv2d(F.pad(seen, (1, 1, 1, 1), mode="replicate"), self.weight, self.bias)
        else:
            result = F.conv2d(seen, self.weight, self.bias, padding=1)
        return result if added is None else result + added, around

    def _fused(
        self,
        features: Features,
        after_band: Callable[[], None],
        added: Tensor | None,
        shortcut: Shortcut | None,
        skip: bool,
    ) -> tuple[Tensor, Tensor | None]:
        height, width = features.size
        result = _channels_last(len(features.x), self.fan_out, height, width)
        around = None
        if skip:
            channels = features.x.shape[1] if shortcut is None else shortcut.fan_out
            around = _channels_last(len(features.x), channels, height, width)
        for picture in range(len(features.x)):
            kept: list[Tensor] = []  # what the arguments point at
            of = _features(features, picture, kept)
            by = self._convolution(picture, result, added, shortcut, around, kept)
            _run(of, by, height, width, after_band)
        return result, around

    def _convolution(
        self,
        picture: int,
        result: Tensor,
        added: Tensor | None,
        shortcut: Shortcut | None,
        around: Tensor | None,
        kept: list[Tensor],
    ) -> ConvolutionArgument:
        lanes = _library().lanes()
        if self._packed is None:
            self._packed = panels(transformed(self.weight), lanes)
        if added is not None:
            added = added[picture].contiguous(memory_format=torch.channels_last) if added.ndim == 3 else added
            kept.append(added)
        return ConvolutionArgument(
            weights=pointer(self._packed),
            bias=pointer(self.bias),
            added=None if added is None else pointer(_rows(added, picture)),
            result=pointer(_rows(result, picture)),
            shortcut=None if shortcut is None or around is None else pointer(shortcut.packed(lanes)),
            skip=None if around is None else pointer(_rows(around, picture)),
            fan_out=self.fan_out,
            skip_channels=0 if around is None else around.shape[1],
        )


def _run(
    of: FeaturesArgument, by: ConvolutionArgument, height: int, width: int, after_band: Callable[[], None]
) -> None:
    found = _library()
    arguments = ctypes.byref(of), ctypes.byref(by)
    step = found.rows_at_once(width)
    scratch = torch.empty(torch.get_num_threads(), found.aside(*arguments))

    def work(part: int, first: int, last: int) -> None:
        rows = top + first * step, min(top + last * step, height)
        if rows[0] < rows[1]:
            found.convolve(*arguments, pointer(scratch[part]), *rows)

    band = max(1, row_bands.BAND_PIXELS // width // step) * step
    for top in range(0, height, band):
        after_band()
        in_threads(work, -(-min(band, height - top) // step))


def _features(features: Features, picture: int, kept: list[Tensor]) -> FeaturesArgument:
    height, width = features.size
    table: Tensor | None = None
    rows: Tensor | None = None
    if features.table is not None:
        table, rows = features.table.of_picture(picture)
    mean, scale = (
        (None, None)
        if features.moments is None
        else (each[picture if len(each) > 1 else 0] for each in features.moments)
    )
    noise = None if features.noise is None or features.strength is None else features.noise[picture]
    each = _rows(features.x, picture), noise, features.strength, mean, scale, table, rows
    each = [None if tensor is None else tensor.contiguous() for tensor in each]
    kept += [tensor for tensor in each if tensor is not None]
    return FeaturesArgument(
        *map(pointer, each),
        height=height,
        width=width,
        stride=0 if table is None else table.shape[1],
        channels=features.x.shape[1],
        doubling=DOUBLINGS.index(features.doubling),
        norm=NORMALISATIONS.index(features.norm),
        repeat_edge=features.repeat_edge,
        eps=EPS,
        slope=features.slope,
    )


def _rows(x: Tensor, picture: int) -> Tensor:
    """(h, w, C) of one picture of (B, C, h, w)."""
    return x[picture].permute(1, 2, 0)


def _channels_last(*size: int) -> Tensor:
    return torch.empty(size, memory_format=torch.channels_last)


def _library() -> ctypes.CDLL:
    found = library()
    assert found is not None
    return found
