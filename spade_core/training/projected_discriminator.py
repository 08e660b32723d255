# SPDX-License-Identifier: Apache-2.0
"""A discriminator that looks through a frozen pyramid: which class is each pixel, and is it a photo at all.

Two kinds of judgement on the same frozen features:
- a small decoder gives, at full size, logits for N classes and one more, "generated" (OASIS, DP-SIMS);
- one projected head a scale gives real / generated scores (Projected GANs).
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from .frozen_features import TAP_WIDTHS

LEAK = 0.2
DECODER_WIDTHS = (32, 48, 64, 96, 128)
HEAD_WIDTH = 64
HEAD_TAPS = (1, 2, 3, 4)
"""The stride-2 tap serves the decoder alone: a head there would cost as much as all the others."""
DETAIL_WIDTH = 16


def normed_conv(fan_in: int, fan_out: int, kernel: int) -> nn.Module:
    """Spectral norm keeps the decoder from saturating within a minute at these rates."""
    return spectral_norm(nn.Conv2d(fan_in, fan_out, kernel, padding=kernel // 2))


class TapNorm(nn.Module):
    """Brings each frozen channel to zero mean and unit variance over real photos."""

    mean: Tensor
    scale: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(1, width, 1, 1))
        self.register_buffer("scale", torch.ones(1, width, 1, 1))

    def calibrate(self, tap: Tensor) -> None:
        self.mean.copy_(tap.float().mean((0, 2, 3), keepdim=True))
        self.scale.copy_(1 / (tap.float().std((0, 2, 3)).view(1, -1, 1, 1) + 1e-3))

    def forward(self, tap: Tensor) -> Tensor:
        # Clamped: a few frozen channels are almost dead on photos and would shout on early fakes.
        return ((tap - self.mean) * self.scale).clamp(-6, 6)


class ProjectedDiscriminator(nn.Module):
    """Frozen taps (and the image itself for the finest detail) to class logits and realism scores."""

    def __init__(self, label_channels: int) -> None:
        super().__init__()
        self.label_channels = label_channels
        self.norms = nn.ModuleList(TapNorm(width) for width in TAP_WIDTHS)
        self.heads = nn.ModuleList(
            nn.Sequential(
                normed_conv(width, HEAD_WIDTH, 1), nn.LeakyReLU(LEAK),
                normed_conv(HEAD_WIDTH, HEAD_WIDTH, 3), nn.LeakyReLU(LEAK), normed_conv(HEAD_WIDTH, 1, 1),
            )
            for width in (TAP_WIDTHS[index] for index in HEAD_TAPS)
        )  # fmt: skip
        self.laterals = nn.ModuleList(
            normed_conv(width, inner, 1) for width, inner in zip(TAP_WIDTHS, DECODER_WIDTHS, strict=True)
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

    def calibrate(self, taps: list[Tensor]) -> None:
        """Take the statistics of the frozen taps from a batch of real photos, once."""
        for norm, tap in zip(self.norms, taps, strict=True):
            cast(TapNorm, norm).calibrate(tap)

    def normalised(self, taps: list[Tensor]) -> list[Tensor]:
        return [norm(tap) for norm, tap in zip(self.norms, taps, strict=True)]

    def forward(self, image: Tensor, taps: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """image: (B, 3, H, W) in [-1, 1]; taps: normalised frozen features.

        Returns class logits (B, label_channels + 1, H, W), the last channel "generated", and one score map a tap.
        """
        scores = [head(taps[index]) for head, index in zip(self.heads, HEAD_TAPS, strict=True)]
        x = F.leaky_relu(self.laterals[4](taps[4]), LEAK)
        for index in (3, 2, 1, 0):
            x = F.interpolate(
                self.merges[index](x), size=taps[index].shape[-2:], mode="bilinear", align_corners=False
            )
            x = F.leaky_relu(x + self.laterals[index](taps[index]), LEAK)
            x = F.leaky_relu(self.refines[index](x) + x, LEAK)
        x = F.interpolate(self.narrow(x), size=image.shape[-2:], mode="bilinear", align_corners=False)
        detail = F.leaky_relu(self.image_layer(image), LEAK)
        x = F.leaky_relu(self.full_merge(torch.cat([x, detail], dim=1)), LEAK)
        # Spectral norms make features faint; at unit length a pixel the classes are told apart within minutes.
        return self.logits(F.normalize(x, dim=1) * x.shape[1] ** 0.5), scores


def class_weights(label_map: Tensor, label_channels: int) -> Tensor:
    """Inverse class frequency in this batch, capped, mean 1 over its pixels (OASIS, section 3.2).

    label_map: (B, H, W) channel indices, the don't-care channel included as the last one; it weighs nothing.
    Returns (label_channels,).
    """
    counts = torch.bincount(label_map.flatten(), minlength=label_channels).float()
    counts[-1] = 0
    present = counts > 0
    weights = torch.zeros_like(counts)
    weights[present] = (counts.sum() / counts[present] / present.sum()).clamp(max=8.0)
    return weights / ((weights * counts).sum() / counts.sum().clamp(min=1)).clamp(min=1e-6)
