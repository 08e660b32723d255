# SPDX-License-Identifier: Apache-2.0
"""Every loss: adversarial, feature matching, by class with LabelMix, perceptual, of the style code."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .. import distributed
from ..features.vgg19 import Vgg19
from .discriminators.interface import DiscriminatorInput
from .fused.cross_entropy import cross_entropy

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


def class_weights(
    label_map: Tensor, label_channels: int, dont_care: int | None, cap: float | None = None
) -> Tensor:
    """Inverse class frequency in the joined batch: every class present weighs the same in all.

    dont_care: the channel that weighs nothing. cap: no class counts more than so many times its pixels, or a class of
    ten pixels would outshout the rest; None: the paper's weights.
    Returns (label_channels,), of mean 1 over the pixels that count.
    """
    counts = distributed.all_reduce_sum(torch.bincount(label_map.flatten(), minlength=label_channels).float())
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
    return cross_entropy(logits, label_map, F.pad(weights, (0, 1))) / label_map.numel()


def generated_class_loss(logits: Tensor) -> Tensor:
    """Cross-entropy of every pixel being "generated": fakes for the discriminator."""
    batch, classes, height, width = logits.shape
    generated = torch.full((batch, height, width), classes - 1, device=logits.device)
    return cross_entropy(logits, generated, logits.new_ones(classes, dtype=torch.float32)) / generated.numel()


def label_mix_mask(label_map: Tensor, label_channels: int) -> Tensor:
    """For each picture half of the classes at random: (B, 1, H, W) bool, so that seams follow class borders."""
    batch = len(label_map)
    chosen = (
        distributed.local_rows(torch.rand(batch * distributed.world_size(), label_channels)).to(
            label_map.device
        )
        < 0.5
    )
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


VGG_WEIGHTS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)

CRN_WEIGHTS = (1 / 1.6, 1 / 2.3, 1 / 1.8, 1 / 2.8, 10 / 0.8)
"""Cascaded refinement's, as its authors' code has them: they bring the layers to a like size. The image counts 1."""

TAP_WEIGHTS = (1.0, 1.0, 1.0, 1.0, 0.5)
"""Their sum over the taps is divided by the number of taps."""


class PerceptualLoss(nn.Module, ABC):
    """L1 distance of features."""

    needs_features: ClassVar[bool] = False

    @abstractmethod
    def forward(
        self, generated: DiscriminatorInput, photos: DiscriminatorInput, alike: Tensor | None = None
    ) -> Tensor:
        """One distance a picture, (B,); gradients reach the generated images alone.

        alike: (B, 1, H, W) in [0, 1], where the two can be compared; None: everywhere.
        """


class VggPerceptualLoss(PerceptualLoss):
    """VGG19's; weighted as the published loss weighs them (pix2pixHD, SPADE) where nothing else is said."""

    def __init__(
        self, vgg: Vgg19, weights: tuple[float, ...] = VGG_WEIGHTS, image_weight: float = 0.0
    ) -> None:
        """image_weight: of the distance of the images themselves."""
        super().__init__()
        self.vgg, self.weights, self.image_weight = vgg, weights, image_weight

    def forward(
        self, generated: DiscriminatorInput, photos: DiscriminatorInput, alike: Tensor | None = None
    ) -> Tensor:
        with torch.no_grad():
            theirs = self.vgg(photos.image)
        distance = feature_distance(self.vgg(generated.image), theirs, self.weights, alike)
        if not self.image_weight:
            return distance
        return distance + feature_distance([generated.image], [photos.image], (self.image_weight,), alike)


class TapPerceptualLoss(PerceptualLoss):
    """The frozen pyramid's taps: nothing to compute where a discriminator looks at them too."""

    needs_features = True

    def forward(
        self, generated: DiscriminatorInput, photos: DiscriminatorInput, alike: Tensor | None = None
    ) -> Tensor:
        return feature_distance(generated.taps, photos.taps, TAP_WEIGHTS, alike) / len(TAP_WEIGHTS)


def feature_distance(
    ours: list[Tensor], theirs: list[Tensor], weights: tuple[float, ...], alike: Tensor | None = None
) -> Tensor:
    """Weighted sum over the layers of each picture's mean absolute difference: (B,).

    alike: as in PerceptualLoss; what cannot be compared counts as no difference.
    """
    total = torch.zeros(len(ours[0]), device=ours[0].device)
    for weight, our, their in zip(weights, ours, theirs, strict=True):
        difference = (our - their).abs().float()
        if alike is not None:
            difference = difference * F.adaptive_avg_pool2d(alike, (our.shape[2], our.shape[3]))
        total = total + weight * difference.mean((1, 2, 3))
    return total


def kl_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """To the standard normal, summed over batch and dimensions as the published loss is (scalar).

    The published training weighs it with 0.05.
    """
    return -0.5 * torch.sum(1 + log_variance - mean.pow(2) - log_variance.exp())
