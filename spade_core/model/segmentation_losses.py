# SPDX-License-Identifier: Apache-2.0
"""Losses on class logits, and LabelMix (OASIS, ICLR 2021, sections 3.1 and 3.2).

Class logits are (B, label_channels + 1, H, W), the last channel "generated"; label maps are (B, H, W) int64 channels.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from .. import joined


def class_weights(
    label_map: Tensor, label_channels: int, dont_care: int | None, cap: float | None = None
) -> Tensor:
    """Inverse class frequency in the joined batch: every class present weighs the same in all.

    dont_care: the channel that weighs nothing. cap: no class counts more than so many times its pixels, or a class of
    ten pixels would outshout the rest; None: the paper's weights.
    Returns (label_channels,), of mean 1 over the pixels that count.
    """
    counts = joined.summed(torch.bincount(label_map.flatten(), minlength=label_channels).float())
    if dont_care is not None:
        counts[dont_care] = 0
    present = counts > 0
    weights = torch.zeros_like(counts)
    weights[present] = (counts.sum() / counts[present] / present.sum()).clamp(
        max=math.inf if cap is None else cap
    )
    return weights / ((weights * counts).sum() / counts.sum().clamp(min=1)).clamp(min=1e-6)


def class_loss(logits: Tensor, label_map: Tensor, weights: Tensor) -> Tensor:
    """Balanced cross-entropy of every pixel showing its class: photos for the discriminator, fakes for the generator.

    weights: (label_channels,), as class_weights gives them.
    """
    # Not torch's "mean": that divides by the weights, and unlabelled pixels would make the others count more.
    total = F.cross_entropy(logits.float(), label_map, F.pad(weights, (0, 1)), reduction="sum")
    return total / label_map.numel()


def generated_class_loss(logits: Tensor) -> Tensor:
    """Cross-entropy of every pixel being "generated": fakes for the discriminator."""
    batch, classes, height, width = logits.shape
    return F.cross_entropy(
        logits.float(), torch.full((batch, height, width), classes - 1, device=logits.device)
    )


def label_mix_mask(label_map: Tensor, label_channels: int) -> Tensor:
    """For each picture half of the classes at random: (B, 1, H, W) bool, so that seams follow class borders."""
    batch = len(label_map)
    chosen = joined.own_rows(torch.rand(batch * joined.count(), label_channels)).to(label_map.device) < 0.5
    return chosen.gather(1, label_map.flatten(1)).view(batch, 1, *label_map.shape[1:])


def label_mix(mask: Tensor, photos: Tensor, generated: Tensor) -> Tensor:
    """(B, C, H, W) images or logits: the photos' where the mask is set, else the generated ones'."""
    return torch.where(mask, photos, generated)


def label_mix_loss(
    mixed_logits: Tensor, mask: Tensor, photo_logits: Tensor, generated_logits: Tensor
) -> Tensor:
    """Mean squared difference of the logits of a mixed image and the mixed logits of its two sources."""
    wanted = label_mix(mask, photo_logits.float(), generated_logits.float())
    return F.mse_loss(mixed_logits.float(), wanted)
