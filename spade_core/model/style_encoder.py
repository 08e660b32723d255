# SPDX-License-Identifier: Apache-2.0
"""What a network is made of: frozen, JSON-able, saved beside the weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .layers import LEAK
from .norms import batch_norm, spectral_norm


@dataclass(frozen=True)
class StyleEncoderConfig:
    """The style encoder (paper, appendix A, figure 14). The defaults are the published network's, but for antialias.

    input_size: images are resized to this square; it is halved down to 4x4 by stride-2 convolutions.
    """

    style_size: int = 256
    base_width: int = 64
    input_size: int = 256
    instance_norm: bool = True
    """The published network normalises every layer; that also removes a photo's overall tint."""
    batch_norm: Literal["batch", "syncbatch"] | None = None
    """Batch norms, with a scale and shift of their own, in place of the instance norms."""
    spectral: bool = True
    """False where the spectral norm is folded into the weights, as in the averaged weights that are served."""
    antialias: bool = True
    """Larger images are averaged down. The published network picks single pixels of them (False)."""

    @property
    def layers(self) -> int:
        return (self.input_size // 4).bit_length() - 1


class StyleEncoder(nn.Module):
    """Stride-2 convolutions down to 4x4, then two linears: mean and log-variance."""

    def __init__(self, config: StyleEncoderConfig) -> None:
        super().__init__()
        self.config = config
        fan_in = 3
        for index in range(config.layers):
            fan_out = config.base_width * min(2**index, 8)
            self.add_module(f"layer{index + 1}", encoder_layer(fan_in, fan_out, config))
            fan_in = fan_out
        self.fc_mu = nn.Linear(fan_in * 16, config.style_size)
        self.fc_var = nn.Linear(fan_in * 16, config.style_size)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """image: (B, 3, H, W) in [-1, 1], any size. Returns mean and log-variance, each (B, style_size)."""
        size = (self.config.input_size, self.config.input_size)
        x = image
        if x.shape[-2:] != size:
            smooth = self.config.antialias
            x = F.interpolate(x, size=size, mode="bilinear", align_corners=False, antialias=smooth)
        for index in range(self.config.layers):
            if index:
                x = F.leaky_relu(x, LEAK)
            x = self.get_submodule(f"layer{index + 1}")(x)
        flat = F.leaky_relu(x, LEAK).flatten(1)
        return self.fc_mu(flat), self.fc_var(flat)


def encoder_layer(fan_in: int, fan_out: int, config: StyleEncoderConfig) -> nn.Sequential:
    # A bias in front of a norm has no effect, so the published layer has none.
    normed = config.instance_norm or config.batch_norm is not None
    layer = nn.Conv2d(fan_in, fan_out, 3, 2, 1, bias=not normed)
    if config.spectral:
        spectral_norm(layer)
    if config.batch_norm is not None:
        return nn.Sequential(layer, batch_norm(config.batch_norm, fan_out, affine=True))
    return nn.Sequential(layer, nn.InstanceNorm2d(fan_out)) if config.instance_norm else nn.Sequential(layer)


def sample_style(mean: Tensor, log_variance: Tensor, random: torch.Generator | None = None) -> Tensor:
    """A draw from the posterior by the reparametrisation trick: (B, style_size).

    random: where the draw comes from, on the CPU, so that a seed means the same everywhere; None: torch's own.
    """
    if random is None:
        noise = torch.randn_like(mean)
    else:
        noise = torch.randn(mean.shape, generator=random).to(mean)
    return style_at(mean, log_variance, noise)


def style_at(mean: Tensor, log_variance: Tensor, noise: Tensor) -> Tensor:
    """The style code, (B, style_size), that a standard normal draw of the same shape stands for."""
    return mean + torch.exp(0.5 * log_variance) * noise
