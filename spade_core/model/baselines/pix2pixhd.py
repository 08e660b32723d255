# SPDX-License-Identifier: Apache-2.0
"""pix2pixHD's global generator, which the paper starts from and measures itself against.

Wang et al., "High-Resolution Image Synthesis and Semantic Manipulation with Conditional GANs", CVPR 2018, section 3.1:
the label map is encoded by strided convolutions, changed by residual blocks, decoded by transposed convolutions.
pix2pixHD++ (SPADE paper, section 4, tables 3 and 5) is the same network with spectral norm and synchronised batch
norm, trained as SPADE is. The names in the state dict are the published ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from ..config import ImageGeneratorConfig, ParamFreeNorm
from ..interface import AfterBlock, ImageGenerator
from ..norms import learned_norm, spectral_norm
from ..semantic_input import resize_labels
from ..spade import GeneratorConfig, SpadeNorm
from ..style_map import Style

LabelsAt = Literal["input", "blocks", "norms"]


@dataclass(frozen=True)
class EncoderDecoderConfig(ImageGeneratorConfig):
    """What pix2pixHD's generators are made of. The defaults are the published global generator's.

    labels_at says where the label map enters: at the "input" alone; also at the input of all residual "blocks", as
    further channels (the paper's "w/ Concat"); or also in all "norms", each of which is a SPADE norm ("w/ SPADE").
    The paper says "at all the intermediate layers" of the former; here that is once a residual block.
    """

    base_width: int = 64
    downsamplings: int = 4
    blocks: int = 9
    first_kernel: int = 7
    block_kernel: int = 3
    norm: ParamFreeNorm = "instance"
    """Batch norms have a learned scale and shift, instance norms have none; in place of a SPADE norm's own scale and
    shift there is the label map's."""
    labels_at: LabelsAt = "input"

    @property
    def spade(self) -> GeneratorConfig:
        """What its SPADE norms are made of: the published kernel and hidden width."""
        return GeneratorConfig(self.label_channels, self.instance_edges, norm=self.norm)


@dataclass(frozen=True)
class Pix2PixHDConfig(EncoderDecoderConfig):
    """The global generator alone."""

    kind: ClassVar[str] = "pix2pixhd"


class Pix2PixHD(ImageGenerator[Pix2PixHDConfig]):
    """Encoder, residual blocks, decoder."""

    def __init__(self, config: Pix2PixHDConfig) -> None:
        super().__init__(config)
        self.model = global_generator(config)

    @property
    def block_count(self) -> int:
        return block_count(self.model)

    @property
    def multiple(self) -> int:
        return 2**self.config.downsamplings

    @property
    def smallest_side(self) -> int:
        # Reflection needs more pixels than it adds.
        return self.multiple * (1 + self.config.block_kernel // 2)

    def forward(
        self,
        labels: Tensor,
        style: Style | None = None,
        noise: list[Tensor] | None = None,
        after_block: AfterBlock | None = None,
    ) -> Tensor:
        """As ImageGenerator.forward; there is no style and no noise."""
        return run(self.model, labels, labels, after_block)


def global_generator(config: EncoderDecoderConfig) -> nn.Sequential:
    """Its layers; run() takes a picture through them."""
    width = config.base_width
    first = nn.Conv2d(config.input_channels, width, config.first_kernel, bias=False)
    layers = nn.Sequential(nn.ReflectionPad2d(config.first_kernel // 2), NormedConv(config, first), nn.ReLU())
    for _ in range(config.downsamplings):
        down = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, bias=False)
        layers.extend([NormedConv(config, down), nn.ReLU()])
        width *= 2
    layers.extend(ResidualBlock(config, width) for _ in range(config.blocks))
    for _ in range(config.downsamplings):
        up = nn.ConvTranspose2d(width, width // 2, 3, stride=2, padding=1, output_padding=1, bias=False)
        layers.extend([NormedConv(config, up), nn.ReLU()])
        width //= 2
    return layers.extend([nn.ReflectionPad2d(3), nn.Conv2d(width, 3, 7), nn.Tanh()])


def block_count(layers: nn.Sequential) -> int:
    return sum(isinstance(layer, NormedConv | ResidualBlock) for layer in layers)


def run(
    layers: nn.Sequential, x: Tensor, labels: Tensor, after_block: AfterBlock | None = None, done: int = 0
) -> Tensor:
    """x through all layers; those that have a use for labels, (B, input_channels, H, W), get them too.

    done: blocks before these, for after_block.
    """
    for layer in layers:
        if not isinstance(layer, NormedConv | ResidualBlock):
            x = layer(x)
            continue
        x = layer(x, labels)
        if after_block is not None:
            after_block(done)
        done += 1
    return x


class NormedConv(nn.Sequential):
    """A convolution and its norm. There is no bias: the norm would take it away."""

    def __init__(self, config: EncoderDecoderConfig, conv: nn.Conv2d | nn.ConvTranspose2d) -> None:
        if config.spectral:
            spectral_norm(conv)
        super().__init__(conv, norm_layer(config, conv.out_channels))

    # A Sequential for the names of its weights; every caller has labels.
    def forward(self, x: Tensor, labels: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        conv, norm = self
        x = conv(x)
        return norm(x, resize_labels(labels, *x.shape[-2:])) if isinstance(norm, SpadeNorm) else norm(x)


def norm_layer(config: EncoderDecoderConfig, channels: int) -> nn.Module:
    if config.labels_at == "norms":
        return SpadeNorm(config.spade, channels, config.spade.spade_kernel)
    return learned_norm(config.norm, channels)


class ResidualBlock(nn.Module):
    """Two convolutions under reflection padding, and an unchanged shortcut."""

    def __init__(self, config: EncoderDecoderConfig, width: int) -> None:
        super().__init__()
        kernel = config.block_kernel
        self.concat = config.labels_at == "blocks"
        fan_in = width + config.input_channels if self.concat else width
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(kernel // 2),
            NormedConv(config, nn.Conv2d(fan_in, width, kernel, bias=False)),
            nn.ReLU(),
            nn.ReflectionPad2d(kernel // 2),
            NormedConv(config, nn.Conv2d(width, width, kernel, bias=False)),
        )

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        y = torch.cat([x, resize_labels(labels, *x.shape[-2:])], dim=1) if self.concat else x
        return x + run(self.conv_block, y, labels)
