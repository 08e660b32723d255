# SPDX-License-Identifier: Apache-2.0
"""Spatially-adaptive normalisation and the residual block around it (paper, section 3, figures 2 and 4)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from .config import GeneratorConfig

LEAK = 0.2


def conv(fan_in: int, fan_out: int, kernel: int, *, bias: bool = True) -> nn.Conv2d:
    """A convolution that keeps the size."""
    return nn.Conv2d(fan_in, fan_out, kernel, padding=kernel // 2, bias=bias)


class InstanceEdges:
    """Where two neighbouring pixels belong to different instances."""

    @staticmethod
    def of(instance_map: Tensor) -> Tensor:
        """instance_map: (B, 1, H, W) integer ids; returns (B, 1, H, W) float, 1 on both sides of an edge."""
        edges = torch.zeros_like(instance_map, dtype=torch.bool)
        across = instance_map[..., :, 1:] != instance_map[..., :, :-1]
        down = instance_map[..., 1:, :] != instance_map[..., :-1, :]
        edges[..., :, 1:] |= across
        edges[..., :, :-1] |= across
        edges[..., 1:, :] |= down
        edges[..., :-1, :] |= down
        return edges.float()


def one_hot(label_map: Tensor, label_channels: int, instance_map: Tensor | None = None) -> Tensor:
    """Semantic input of the generator.

    label_map: (B, H, W) integer channel indices below label_channels. instance_map: (B, H, W) ids or None.
    Returns (B, label_channels [+ 1], H, W) float32: the one-hot planes, then the instance edges.
    """
    planes = F.one_hot(label_map.long(), label_channels).permute(0, 3, 1, 2).float()
    if instance_map is None:
        return planes.contiguous()
    return torch.cat([planes, InstanceEdges.of(instance_map[:, None])], dim=1)


class SpadeNorm(nn.Module):
    """Normalise without parameters, then scale and shift by what the label map says at each pixel.

    out = N(x) * (1 + gamma(labels)) + beta(labels)   (paper, equation 1)
    """

    def __init__(self, config: GeneratorConfig, channels: int, kernel: int) -> None:
        super().__init__()
        if config.norm == "instance":
            self.param_free_norm: nn.Module = nn.InstanceNorm2d(channels, affine=False)
        else:
            self.param_free_norm = nn.BatchNorm2d(channels, affine=False)
        hidden = config.spade_hidden
        self.mlp_shared = None if config.share_hidden else label_hidden(config)
        self.mlp_gamma = conv(hidden, channels, kernel)
        self.mlp_beta = conv(hidden, channels, kernel)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        """x: (B, C, h, w); labels: (B, classes, h, w), or the block's shared hidden features."""
        hidden = labels if self.mlp_shared is None else self.mlp_shared(labels)
        normed = self.param_free_norm(x)
        # normed * (1 + gamma) + beta, in two passes over memory instead of three.
        return torch.addcmul(normed + self.mlp_beta(hidden), normed, self.mlp_gamma(hidden))


def label_hidden(config: GeneratorConfig) -> nn.Sequential:
    """The first convolution of the label path: one-hot planes to hidden features."""
    return nn.Sequential(conv(config.input_channels, config.spade_hidden, config.spade_kernel), nn.ReLU())


class SpadeResBlock(nn.Module):
    """Two SPADE convolutions and a shortcut, learned where the width changes (paper, figure 4)."""

    def __init__(self, config: GeneratorConfig, fan_in: int, fan_out: int, step: int) -> None:
        """step: how many times the feature map has been doubled when it reaches this block."""
        super().__init__()
        middle = min(fan_in, fan_out)
        self.conv_0 = conv(fan_in, middle, 3)
        self.conv_1 = conv(middle, fan_out, 3)
        self.conv_s = conv(fan_in, fan_out, 1, bias=False) if fan_in != fan_out else None
        if config.spectral:
            for layer in (self.conv_0, self.conv_1, self.conv_s):
                if layer is not None:
                    spectral_norm(layer, eps=1e-12)
        pointwise = config.pointwise_from_step is not None and step >= config.pointwise_from_step
        kernel = 1 if pointwise else config.spade_kernel
        self.mlp_shared = label_hidden(config) if config.share_hidden else None
        self.norm_0 = SpadeNorm(config, fan_in, kernel)
        self.norm_1 = SpadeNorm(config, middle, kernel)
        self.norm_s = SpadeNorm(config, fan_in, kernel) if self.conv_s is not None else None
        # gamma and beta are linear in the hidden features: adding the style there adds to both what the style says.
        self.style = nn.Linear(config.style_size, config.spade_hidden) if config.style_in_blocks else None
        self.noise_strength = nn.Parameter(torch.zeros(1, fan_in, 1, 1)) if config.noise else None

    def forward(self, x: Tensor, labels: Tensor, style: Tensor | None, noise: Tensor | None) -> Tensor:
        """x: (B, fan_in, h, w); labels: (B, classes, h, w); style: (B, Z); noise: (B, 1, h, w) standard normal."""
        if self.noise_strength is not None and noise is not None:
            x = torch.addcmul(x, self.noise_strength, noise)
        if self.mlp_shared is not None:
            labels = self.mlp_shared(labels)
        if self.style is not None and style is not None:
            labels = labels + self.style(style)[:, :, None, None]
        skip = x
        if self.conv_s is not None and self.norm_s is not None:
            skip = self.conv_s(self.norm_s(x, labels))
        dx = self.conv_0(F.leaky_relu(self.norm_0(x, labels), LEAK))
        dx = self.conv_1(F.leaky_relu(self.norm_1(dx, labels), LEAK))
        return skip + dx
