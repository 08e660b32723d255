# SPDX-License-Identifier: Apache-2.0
"""The residual block of the decoders (paper, figure 4 left and figure 11)."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import DecoderConfig, GeneratorConfig
from .spade import LEAK, SpadeNorm, conv, label_hidden
from .spectral_norm import spectral_norm


class ResBlock(nn.Module):
    """Two convolutions behind norms that see the labels, and a shortcut, learned where the width changes.

    Each kind of decoder adds its norms: norm(x, labels), from (B, C, h, w) to the same, or to further channels.
    """

    def __init__(self, config: DecoderConfig, fan_in: int, fan_out: int, further: int = 0) -> None:
        """further: channels that the norms add to those they are given."""
        super().__init__()
        middle = min(fan_in, fan_out)
        self.conv_0 = conv(fan_in + further, middle, 3)
        self.conv_1 = conv(middle + further, fan_out, 3)
        self.conv_s = conv(fan_in + further, fan_out, 1, bias=False) if fan_in != fan_out else None
        if config.spectral:
            for layer in (self.conv_0, self.conv_1, self.conv_s):
                if layer is not None:
                    spectral_norm(layer)
        self.noise_strength = nn.Parameter(torch.zeros(1, fan_in, 1, 1)) if config.noise else None

    def add_norms(self, norm: Callable[[int], nn.Module], fan_in: int, fan_out: int) -> None:
        self.norm_0 = norm(fan_in)
        self.norm_1 = norm(min(fan_in, fan_out))
        self.norm_s = norm(fan_in) if fan_in != fan_out else None

    def forward(self, x: Tensor, labels: Tensor, style: Tensor | None, noise: Tensor | None) -> Tensor:
        """x: (B, fan_in, h, w); labels: (B, classes, h, w); style: (B, Z); noise: (B, 1, h, w) standard normal."""
        if self.noise_strength is not None and noise is not None:
            x = torch.addcmul(x, self.noise_strength, noise)
        labels = self.seen(labels, style)
        skip = x
        if self.conv_s is not None and self.norm_s is not None:
            skip = self.conv_s(self.norm_s(x, labels))
        dx = self.conv_0(F.leaky_relu(self.norm_0(x, labels), LEAK))
        dx = self.conv_1(F.leaky_relu(self.norm_1(dx, labels), LEAK))
        return skip + dx

    def seen(self, labels: Tensor, style: Tensor | None) -> Tensor:
        """What the norms are shown."""
        return labels


class SpadeResBlock(ResBlock):
    """With SPADE norms."""

    def __init__(self, config: GeneratorConfig, fan_in: int, fan_out: int, step: int) -> None:
        """step: how many times the feature map has been doubled when it reaches this block."""
        super().__init__(config, fan_in, fan_out)
        pointwise = config.pointwise_from_step is not None and step >= config.pointwise_from_step
        kernel = 1 if pointwise else config.spade_kernel
        self.mlp_shared = label_hidden(config) if config.share_hidden else None
        self.add_norms(lambda channels: SpadeNorm(config, channels, kernel), fan_in, fan_out)
        # gamma and beta are linear in the hidden features: adding the style there adds to both what the style says.
        self.style = nn.Linear(config.style_size, config.spade_hidden) if config.style_in_blocks else None

    def seen(self, labels: Tensor, style: Tensor | None) -> Tensor:
        """The block's hidden label features, style included, where its norms share them; else the labels."""
        if self.mlp_shared is not None:
            labels = self.mlp_shared(labels)
        if self.style is not None and style is not None:
            labels = labels + self.style(style)[:, :, None, None]
        return labels
