# SPDX-License-Identifier: Apache-2.0
"""Adversarial losses on realism scores, and feature matching (paper, section 3 and appendix A).

Each is the mean over a scale's patches, averaged over the scales, in float32. Perceptual losses are in perceptual.py,
those on class logits in segmentation_losses.py, the style code's KL divergence is in style_encoder.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

GanMode = Literal["hinge", "ls", "original", "w"]
"""Hinge (the paper's), least squares (LSGAN), the original logistic loss, Wasserstein."""


def _constant(score: Tensor, value: float) -> Tensor:
    return torch.full_like(score, value)


AS_REAL: dict[GanMode, Callable[[Tensor], Tensor]] = {
    "hinge": lambda score: F.relu(1 - score).mean(),
    "ls": lambda score: F.mse_loss(score, _constant(score, 1)),
    "original": lambda score: F.binary_cross_entropy_with_logits(score, _constant(score, 1)),
    "w": lambda score: -score.mean(),
}
"""What the discriminator pays for its scores of photos."""
AS_FAKE: dict[GanMode, Callable[[Tensor], Tensor]] = {
    "hinge": lambda score: F.relu(1 + score).mean(),
    "ls": lambda score: F.mse_loss(score, _constant(score, 0)),
    "original": lambda score: F.binary_cross_entropy_with_logits(score, _constant(score, 0)),
    "w": lambda score: score.mean(),
}
"""And for those of generated images."""


def photo_loss(scores: list[Tensor], mode: GanMode) -> Tensor:
    """The discriminator's loss for its (B, 1, h, w) scores of photos, one a scale: a scalar."""
    return torch.stack([AS_REAL[mode](score.float()) for score in scores]).mean()


def generated_loss(scores: list[Tensor], mode: GanMode) -> Tensor:
    """The discriminator's loss for its scores of generated images."""
    return torch.stack([AS_FAKE[mode](score.float()) for score in scores]).mean()


def generator_loss(scores: list[Tensor], mode: GanMode) -> Tensor:
    """The generator's loss for the scores of its images: the hinge is left out, so that it always has a slope."""
    as_real = AS_REAL["w" if mode == "hinge" else mode]
    return torch.stack([as_real(score.float()) for score in scores]).mean()


def feature_matching(generated: list[list[Tensor]], photos: list[list[Tensor]]) -> Tensor:
    """L1 distance of a discriminator's layers, summed over the layers, averaged over the scales (pix2pixHD).

    Both: for each scale the (B, C, h, w) layers before the scores. Gradients reach the generated images alone.
    """
    distances = [
        F.l1_loss(ours.float(), theirs.detach().float())
        for our_scale, their_scale in zip(generated, photos, strict=True)
        for ours, theirs in zip(our_scale, their_scale, strict=True)
    ]
    return torch.stack(distances).sum() / len(generated)
