# SPDX-License-Identifier: Apache-2.0
"""What a convolution is given: features, their noise and norm, and what the label map makes of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from .library import FeaturesArgument, pointer

Doubling = Literal["none", "nearest", "bilinear"]
Normalisation = Literal["none", "pixel", "channel"]
DOUBLINGS: tuple[Doubling, ...] = ("none", "nearest", "bilinear")
NORMALISATIONS: tuple[Normalisation, ...] = ("none", "pixel", "channel")
EPS = 1e-5


class ScalesShifts(Protocol):
    """What a label map makes of each pixel: synthesis/compiled/table.py."""

    def of_picture(self, index: int) -> tuple[Tensor, Tensor | None, Tensor | None]: ...

    def planes(self, height: int, width: int) -> Tensor: ...


@dataclass(frozen=True, eq=False)
class Features:
    """What a convolution is given: leaky(N(doubled(x) + strength * noise) * scale + shift), its edge repeated or zeros
    past it.

    x: (B, C, h, w) float32, channels_last. noise: (B, 1, H, W). strength: (C,). moments, of the norm "channel": mean
    and 1 / standard deviation, (B or 1, C). table: 2 C wide, or 4 C where there is a shortcut, which sees
    N(...) * scale' + shift' by the second half. slope: of leaky, below zero; slopes: (C,), one a channel, in its place
    where there is no table.
    """

    x: Tensor
    doubling: Doubling = "none"
    noise: Tensor | None = None
    strength: Tensor | None = None
    norm: Normalisation = "none"
    moments: tuple[Tensor, Tensor] | None = None
    table: ScalesShifts | None = None
    slope: float = 1.0
    slopes: Tensor | None = None
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

    def leaky(self, x: Tensor) -> Tensor:
        if self.slopes is not None:
            return F.prelu(x, self.slopes)
        return x if self.slope == 1.0 else F.leaky_relu(x, self.slope)

    def argument(self, picture: int, kept: list[Tensor]) -> FeaturesArgument:
        """One picture's, for layers.c; what it points at is added to `kept`, and has to live as long."""
        height, width = self.size
        table, shift, rows = (None,) * 3 if self.table is None else self.table.of_picture(picture)
        mean, scale = (
            (None, None)
            if self.moments is None
            else (each[picture if len(each) > 1 else 0] for each in self.moments)
        )
        noise = None if self.noise is None or self.strength is None else self.noise[picture]
        x = self.x[picture].permute(1, 2, 0)
        if table is not None and table.stride(1) != 1:
            table = table.contiguous()
        each = [
            tensor if tensor is None or tensor is table else tensor.contiguous()
            for tensor in (x, noise, self.strength, mean, scale, table, shift, self.slopes, rows)
        ]
        kept += [tensor for tensor in each if tensor is not None]
        return FeaturesArgument(
            *map(pointer, each),
            height=height,
            width=width,
            stride=0 if table is None else table.stride(0),
            channels=self.x.shape[1],
            doubling=DOUBLINGS.index(self.doubling),
            norm=NORMALISATIONS.index(self.norm),
            repeat_edge=self.repeat_edge,
            eps=EPS,
            slope=self.slope,
        )
