# SPDX-License-Identifier: Apache-2.0
"""The paper's generator: spatially-adaptive normalisation in every residual block (section 3, figure 2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import DecoderConfig
from .decoder import Decoder, ResBlock
from .fused.label_rows import LabelRows
from .fused.library import fits
from .fused.modulation import Table, Use, modulate
from .layers import LEAK, conv
from .norms import param_free_norm
from .style_map import Style, StyleMap, added


@dataclass(frozen=True)
class GeneratorConfig(DecoderConfig):
    """The SPADE generator (paper, section 3 and appendix A). The defaults are the published network's."""

    kind: ClassVar[str] = "spade"

    spade_kernel: int = 3
    spade_hidden: int = 128
    # Our own models' additions; the published network has none of them.
    share_hidden: bool = False
    """One label convolution a block, shared by its norms, in place of one a norm."""
    pointwise_from_step: int | None = None
    """From this upsampling step on, gamma and beta are 1x1 convolutions of the hidden label features."""
    style_in_blocks: bool = False
    """The style code also shifts gamma and beta of every norm (not only the start); needs share_hidden."""


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
        self.fusable = config.share_hidden and config.norm == "pixel"
        self.replicates = config.replicate_padding
        self.tabled = pointwise and config.replicate_padding and not config.instance_edges

    def forward(self, x: Tensor, labels: Tensor, style: Style | None, noise: Tensor | None) -> Tensor:
        """As ResBlock.forward. Training takes fewer passes over memory; pictures keep their bytes."""
        trains = self.fusable and self.training and torch.is_grad_enabled() and fits(x)
        if not trains or isinstance(style, StyleMap):
            return super().forward(x, labels, style, noise)
        strength, skip = self.noise_strength, x
        if self.conv_s is None and noise is not None and strength is not None:  # the shortcut has it, too
            skip, noise = torch.addcmul(x, strength, noise), None
        hidden, rows = self._hidden(labels, style)
        padded = Use(LEAK, self.replicates)
        if self.conv_s is None:
            (normed_0,) = modulate(skip, self._table(hidden, rows, self.norm_0), (padded,), noise, strength)
        else:
            table = self._table(hidden, rows, self.norm_0, self.norm_s)
            normed_0, normed_s = modulate(x, table, (padded, Use()), noise, strength)
            skip = self.conv_s(normed_s)
        dx = _convolved(self.conv_0, normed_0)
        (normed_1,) = modulate(dx, self._table(hidden, rows, self.norm_1), (padded,), None, None)
        return skip + _convolved(self.conv_1, normed_1)

    def _hidden(self, labels: Tensor, style: Tensor | None) -> tuple[Tensor, LabelRows | None]:
        """Hidden label features, one row for all pixels that see the same where there are rows, else as planes."""
        rows = LabelRows.of(labels) if self.tabled else None
        if rows is None:
            return self.seen(labels, style), None
        assert self.mlp_shared is not None
        inside, others = map(F.relu, rows.convolved(self.mlp_shared[0]))  # type: ignore[arg-type]
        none = inside.new_zeros(len(labels), 1)
        of_image = none if self.style is None or style is None else self.style(style)
        return rows.joined(inside, others, of_image), rows

    def _table(self, hidden: Tensor, rows: LabelRows | None, *norms: nn.Module | None) -> Table:
        """Scales and shifts of norms that look at one feature map, by one convolution."""
        each = [norm for norm in norms if isinstance(norm, SpadeNorm)]
        layers = [layer for norm in each for layer in (norm.mlp_gamma, norm.mlp_beta)]
        biases = [layer.bias for layer in layers if layer.bias is not None]
        weight, bias = torch.cat([layer.weight for layer in layers]), torch.cat(biases)
        if rows is not None:
            return Table(F.linear(hidden, weight.flatten(1), bias), rows.rows, rows.shared)
        planes = layers[0]._conv_forward(hidden, weight, bias)  # padded as the layers pad
        return Table(planes.permute(0, 2, 3, 1).reshape(-1, planes.shape[1]))

    def seen(self, labels: Tensor, style: Style | None) -> Tensor:
        """The block's hidden label features, style included, where its norms share them; else the labels."""
        if self.mlp_shared is not None:
            labels = self.mlp_shared(labels)
        if self.style is not None and style is not None:
            labels = added(labels, self.style, style)
        return labels


def _convolved(layer: nn.Conv2d, x: Tensor) -> Tensor:
    """The layer's convolution of features that have been padded already where it repeats their edge."""
    return layer(x) if layer.padding_mode == "zeros" else F.conv2d(x, layer.weight, layer.bias)


class Generator(Decoder[GeneratorConfig]):
    """The paper's generator: the label map enters through every norm, the style code at the start."""

    def block(self, fan_in: int, fan_out: int, step: int) -> ResBlock:
        return SpadeResBlock(self.config, fan_in, fan_out, step)
