# SPDX-License-Identifier: Apache-2.0
"""The norms under SPADE, and those that stand in its place."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from .config import ParamFreeNorm
from .sync_batch_norm import SyncBatchNorm


class PixelNorm(nn.Module):
    """Zero mean and unit variance over the channels of each pixel; x: (B, C, h, w).

    Li et al., "Positional Normalization", NeurIPS 2019. With the channels of a pixel side by side in memory this is
    torch's layer norm: one pass, where the same by elementwise operations takes five.
    """

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x.permute(0, 2, 3, 1), (x.shape[1],)).permute(0, 3, 1, 2)


class FlatInstanceNorm(nn.InstanceNorm2d):
    """An instance norm that brings a flat map to zero exactly; x: (B, C, h, w).

    Plainly computed, what is left of it is the rounding error of its mean, times 300; norm after norm that becomes the
    picture. A network whose label map enters through convolutions alone would show its rounding errors (paper, figure
    3). Taking one pixel from all of them changes nothing else.
    """

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input - input[..., :1, :1])


def param_free_norm(kind: ParamFreeNorm, channels: int) -> nn.Module:
    """A norm without scale and shift of its own: (B, channels, h, w) to the same."""
    if kind == "pixel":
        return PixelNorm()
    if kind == "instance":
        return nn.InstanceNorm2d(channels, affine=False)
    return batch_norm(kind, channels, affine=False)


def learned_norm(kind: ParamFreeNorm, channels: int) -> nn.Module:
    """The norm of a network without SPADE: batch norms learn a scale and a shift, the others have none, as the
    published pix2pixHD has none."""
    if kind == "instance":
        return FlatInstanceNorm(channels)
    return PixelNorm() if kind == "pixel" else batch_norm(kind, channels, affine=True)


def batch_norm(kind: ParamFreeNorm, channels: int, affine: bool) -> nn.BatchNorm2d:
    """Over this process's part of a batch ("batch"), or over all of it ("syncbatch")."""
    return (SyncBatchNorm if kind == "syncbatch" else nn.BatchNorm2d)(channels, affine=affine)
