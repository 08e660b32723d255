# SPDX-License-Identifier: Apache-2.0
"""Norms: over pixels, instances and batches, and of weights."""

from __future__ import annotations

from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import _SpectralNorm

from .. import distributed
from .config import ParamFreeNorm


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


class SyncBatchNorm(nn.BatchNorm2d):
    """Alone, and in eval mode, torch's batch norm; with the same names in its state dict."""

    def forward(self, input: Tensor) -> Tensor:
        """input: (B, C, h, w), this process's rows; every process has as many. Returns the same shape and dtype."""
        if not self.training or distributed.world_size() == 1:
            return super().forward(input)
        x = input.float() if input.dtype in (torch.bfloat16, torch.float16) else input
        size = distributed.world_size() * x.numel() // x.shape[1]
        mean = distributed.all_reduce_sum(x.sum((0, 2, 3))) / size
        # In two passes: the difference of two large means would leave little of a small variance.
        centred = x - mean[:, None, None]
        variance = distributed.all_reduce_sum(centred.square().sum((0, 2, 3))) / size
        self._follow(mean.detach(), variance.detach() * size / (size - 1))
        normed = centred * torch.rsqrt(variance + self.eps)[:, None, None]
        if self.affine:
            normed = normed * self.weight[:, None, None] + self.bias[:, None, None]
        return normed.to(input.dtype)

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked += 1
        rate = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), rate)
        self.running_var.lerp_(variance.to(self.running_var.dtype), rate)


Layer = TypeVar("Layer", bound=nn.Module)


def spectral_norm(layer: Layer) -> Layer:
    """Divide the layer's weight by its largest singular value, followed by one power iteration a training forward.

    The published networks update v before u; torch's own parametrisation u before v. Half an iteration apart, both
    are good estimates, but a published checkpoint goes on training as it was only in its own order. Names in the state
    dict and results in eval mode are torch's.
    """
    dim = 1 if isinstance(layer, nn.ConvTranspose2d) else 0
    norm = _PublishedOrder(layer.weight.detach(), dim=dim, eps=1e-12)  # type: ignore[arg-type]
    parametrize.register_parametrization(layer, "weight", norm)
    return layer


class _PublishedOrder(_SpectralNorm):
    @torch.no_grad()
    def _power_method(self, weight_mat: Tensor, n_power_iterations: int) -> None:
        if weight_mat.is_meta:
            return  # only shapes are wanted: there is nothing to iterate on
        for _ in range(n_power_iterations):
            F.normalize(weight_mat.T @ self._u, dim=0, eps=self.eps, out=self._v)
            F.normalize(weight_mat @ self._v, dim=0, eps=self.eps, out=self._u)
