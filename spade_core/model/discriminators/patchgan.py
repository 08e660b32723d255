# SPDX-License-Identifier: Apache-2.0
"""The multi-scale PatchGAN of pix2pixHD and SPADE (SPADE paper, appendix A, figure 13)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..layers import LEAK
from ..norms import batch_norm, spectral_norm
from .interface import Discriminator, DiscriminatorInput, DiscriminatorOutput

LARGEST_WIDTH = 512

PatchNorm = Literal["instance", "batch", "syncbatch", "none"]


@dataclass(frozen=True)
class MultiscaleConfig:
    """The defaults are the published network's."""

    kind: ClassVar[str] = "multiscale"

    scales: int = 2
    """Copies of the network, each on a picture of half the size of the one before."""
    layers: int = 4
    """Convolutions before the logits; all but the last of them halve the picture."""
    base_width: int = 64
    """Channels of the first layer; each further one has twice as many, up to 512."""
    norm: PatchNorm = "instance"
    """Behind all layers but the first and the last; batch norms have a scale and shift of their own."""
    spectral: bool = True
    """Spectral norm in the same layers; pix2pixHD's own discriminator has none."""


class MultiscaleDiscriminator(Discriminator):
    """Label map and image together, at several scales; each answers for patches of its own size."""

    needs_labels = True

    def __init__(self, config: MultiscaleConfig, input_channels: int) -> None:
        """input_channels: of the generator's input; the image's three come on top."""
        super().__init__()
        self.config = config
        self.mixes_rows = config.norm in ("batch", "syncbatch")
        for scale in range(config.scales):
            self.add_module(f"discriminator_{scale}", PatchDiscriminator(config, input_channels + 3))

    def forward(self, seen: DiscriminatorInput) -> DiscriminatorOutput:
        assert seen.labels is not None
        x = torch.cat([seen.labels.to(seen.image.dtype), seen.image], dim=1)
        scores, features = [], []
        for scale in range(self.config.scales):
            if scale:
                x = F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)
            *layers, score = self.get_submodule(f"discriminator_{scale}")(x)
            scores.append(score)
            features.append(layers)
        return DiscriminatorOutput(scores, features)


class PatchDiscriminator(nn.Module):
    """A stack of 4x4 convolutions: which patches look like photos of these labels."""

    def __init__(self, config: MultiscaleConfig, input_channels: int) -> None:
        super().__init__()
        self.layers = config.layers
        width = config.base_width
        first = nn.Conv2d(input_channels, width, 4, stride=2, padding=2)
        self.add_module("model0", nn.Sequential(first, nn.LeakyReLU(LEAK)))
        for index in range(1, config.layers):
            fan_in, width = width, min(width * 2, LARGEST_WIDTH)
            stride = 1 if index == config.layers - 1 else 2
            layer = patch_layer(config, fan_in, width, stride)
            self.add_module(f"model{index}", nn.Sequential(layer, nn.LeakyReLU(LEAK)))
        self.add_module(f"model{config.layers}", nn.Sequential(nn.Conv2d(width, 1, 4, padding=2)))

    def forward(self, x: Tensor) -> list[Tensor]:
        """x: (B, input_channels, H, W). Returns every layer's output; the last one, (B, 1, h, w), holds the logits."""
        outputs = []
        for index in range(self.layers + 1):
            x = self.get_submodule(f"model{index}")(x)
            outputs.append(x)
        return outputs


def patch_layer(config: MultiscaleConfig, fan_in: int, fan_out: int, stride: int) -> nn.Module:
    # A bias in front of a norm has no effect.
    layer = nn.Conv2d(fan_in, fan_out, 4, stride, padding=2, bias=config.norm == "none")
    if config.spectral:
        spectral_norm(layer)
    if config.norm == "none":
        return layer
    instance = config.norm == "instance"
    norm = nn.InstanceNorm2d(fan_out) if instance else batch_norm(config.norm, fan_out, affine=True)
    return nn.Sequential(layer, norm)
