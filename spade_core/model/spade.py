# SPDX-License-Identifier: Apache-2.0
"""The label map as networks see it, and spatially-adaptive normalisation (paper, section 3, figure 2)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import GeneratorConfig, LabelSampling
from .norms import param_free_norm

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
    batch, height, width = label_map.shape
    planes = torch.zeros(batch, label_channels, height, width, device=label_map.device)
    planes.scatter_(1, label_map.long()[:, None], 1.0)
    if instance_map is None:
        return planes
    return torch.cat([planes, InstanceEdges.of(instance_map[:, None])], dim=1)


def resize_labels(labels: Tensor, height: int, width: int, *, sampling: LabelSampling = "nearest") -> Tensor:
    """One-hot planes at another size; (B, C, H, W) -> (B, C, height, width).

    "nearest" picks pixels by floor(i * scale), as the published network does; "area" averages what a pixel covers.
    """
    if labels.shape[-2:] == (height, width):
        return labels
    return F.interpolate(labels, size=(height, width), mode=sampling)


class SpadeNorm(nn.Module):
    """Normalise without parameters, then scale and shift by what the label map says at each pixel.

    out = N(x) * (1 + gamma(labels)) + beta(labels)   (paper, equation 1)
    """

    def __init__(self, config: GeneratorConfig, channels: int, kernel: int) -> None:
        super().__init__()
        self.param_free_norm = param_free_norm(config.norm, channels)
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
