# SPDX-License-Identifier: Apache-2.0
"""A discriminator that looks through a frozen pyramid: which class is each pixel, and is it a photo at all.

Two kinds of judgement on the same frozen features:
- a small decoder gives, at full size, logits for N classes and one more, "generated" (OASIS, DP-SIMS);
- one projected head a scale gives real / generated scores (Projected GANs).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from ...features.efficientnet_lite import LITE0_TAP_WIDTHS, tap_norms
from ..fused.unit_length import unit_length
from ..layers import LEAK
from .interface import Discriminator, DiscriminatorInput, DiscriminatorOutput

DECODER_WIDTHS = (32, 48, 64, 96, 128)

HEAD_WIDTH = 64

HEAD_TAPS = (1, 2, 3, 4)
"""The stride-2 tap serves the decoder alone: a head there would cost as much as all the others."""

DETAIL_WIDTH = 16


def normed_conv(fan_in: int, fan_out: int, kernel: int) -> nn.Module:
    """Spectral norm keeps the decoder from saturating within a minute at these rates."""
    return spectral_norm(nn.Conv2d(fan_in, fan_out, kernel, padding=kernel // 2))


@dataclass(frozen=True)
class ProjectedConfig:
    """Its widths fit the frozen pyramid; there is nothing to choose."""

    kind: ClassVar[str] = "projected"


class ProjectedDiscriminator(Discriminator):
    """Frozen taps (and the image itself for the finest detail) to class logits and realism scores."""

    needs_features = True

    def __init__(self, label_channels: int) -> None:
        super().__init__()
        self.label_channels = label_channels
        self.norms = tap_norms()
        self.heads = nn.ModuleList(
            nn.Sequential(
                normed_conv(width, HEAD_WIDTH, 1), nn.LeakyReLU(LEAK),
                normed_conv(HEAD_WIDTH, HEAD_WIDTH, 3), nn.LeakyReLU(LEAK), normed_conv(HEAD_WIDTH, 1, 1),
            )
            for width in (LITE0_TAP_WIDTHS[index] for index in HEAD_TAPS)
        )  # fmt: skip
        self.laterals = nn.ModuleList(
            normed_conv(width, inner, 1)
            for width, inner in zip(LITE0_TAP_WIDTHS, DECODER_WIDTHS, strict=True)
        )
        self.merges = nn.ModuleList(
            normed_conv(DECODER_WIDTHS[index + 1], DECODER_WIDTHS[index], 1) for index in range(4)
        )
        self.refines = nn.ModuleList(
            normed_conv(DECODER_WIDTHS[index], DECODER_WIDTHS[index], 3) for index in range(4)
        )
        self.image_layer = normed_conv(3, DETAIL_WIDTH, 3)
        self.narrow = normed_conv(DECODER_WIDTHS[0], DETAIL_WIDTH, 1)
        self.full_merge = normed_conv(2 * DETAIL_WIDTH, 2 * DETAIL_WIDTH, 3)
        self.logits = nn.Conv2d(2 * DETAIL_WIDTH, label_channels + 1, 1)

    def forward(self, seen: DiscriminatorInput) -> DiscriminatorOutput:
        image, taps = seen.image, seen.taps
        scores = [head(taps[index]) for head, index in zip(self.heads, HEAD_TAPS, strict=True)]
        x = F.leaky_relu(self.laterals[4](taps[4]), LEAK)
        for index in (3, 2, 1, 0):
            x = F.interpolate(
                self.merges[index](x), size=taps[index].shape[-2:], mode="bilinear", align_corners=False
            )
            x = F.leaky_relu(x + self.laterals[index](taps[index]), LEAK)
            x = F.leaky_relu(self.refines[index](x) + x, LEAK)
        x = F.interpolate(self.narrow(x), size=image.shape[-2:], mode="bilinear", align_corners=False)
        if (
            x.requires_grad
        ):  # the joined map's gradient comes in slices, which the next step back takes slowly
            x.register_hook(lambda grad: grad.contiguous(memory_format=torch.channels_last))
        detail = F.leaky_relu(self.image_layer(image), LEAK)
        x = F.leaky_relu(self.full_merge(torch.cat([x, detail], dim=1)), LEAK)
        # Spectral norms make features faint; at unit length a pixel the classes are told apart within minutes.
        return DiscriminatorOutput(scores, class_logits=self.logits(unit_length(x)))
