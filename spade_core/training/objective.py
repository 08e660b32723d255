# SPDX-License-Identifier: Apache-2.0
"""What both sides of the game are trained by: the losses of a recipe, by name and weighted."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .. import distributed
from ..model.discriminators.interface import Discriminator, DiscriminatorInput, DiscriminatorOutput
from ..model.losses import (
    PerceptualLoss,
    class_loss,
    class_weights,
    feature_matching,
    generated_class_loss,
    generated_loss,
    generator_loss,
    kl_divergence,
    label_mix_loss,
    photo_loss,
)
from .recipe import LossConfig
from .styles import BatchStyles

FAKE_FLOOR, HINGE_FLOOR = 0.35, 0.4
"""Below these running losses a gated discriminator does not learn: it knows the generated images too well already."""

Losses = dict[str, Tensor]


@dataclass(frozen=True)
class Generated:
    """A batch of generated images, and the styles they were asked for."""

    image: Tensor
    """(B, 3, H, W) in [-1, 1]."""
    style: BatchStyles
    style_error: Tensor | None = None
    """(B,): how far the style read from the image is from the one asked for."""


@dataclass(frozen=True)
class ClassTarget:
    """The classes that a batch should show."""

    channels: Tensor
    """(B, H, W) int64."""
    weights: Tensor
    """(label_channels,): how much a pixel of each class counts."""

    @classmethod
    def of(
        cls, channels: Tensor, label_channels: int, dont_care: int | None, cap: float | None
    ) -> ClassTarget:
        return cls(channels, class_weights(channels, label_channels, dont_care, cap))


@dataclass(frozen=True)
class Targets:
    """What is to be seen in the images of both sides, where label maps were blocked out two things."""

    asked: ClassTarget
    """Of the generator."""
    shown: ClassTarget
    """By the photos."""
    alike: Tensor | None = None
    """(B, 1, H, W) in {0, 1}: where both are the same; None: everywhere. Elsewhere a photo is no example for what was
    asked: taken for one, it teaches outlines, and straight borders with another thing behind them."""


def mean_colors(image: Tensor) -> Tensor:
    """(B, 3, H, W) to the means over a grid, (B, 3, 8, 8)."""
    return F.adaptive_avg_pool2d(image, 8)


class Objective:
    """The losses of a recipe."""

    def __init__(
        self, losses: LossConfig, gate_discriminator: bool, perceptual: PerceptualLoss | None
    ) -> None:
        self.losses, self.gate_discriminator, self.perceptual = losses, gate_discriminator, perceptual
        self.running = {"fake": 1.0, "hinge": 1.0}
        """Running means of the losses that say whether the discriminator learns or rests."""

    def adversarial_weight(self, seen: int) -> float:
        """Of the discriminator's say in the generator's step, after so many photos."""
        beyond = seen - self.losses.warmup
        if self.losses.ramp == 0:
            return float(beyond >= 0)
        return min(max(beyond, 0) / self.losses.ramp, 1.0)

    def perceptual_weight(self, seen: int) -> float:
        losses = self.losses
        done = min(seen / losses.perceptual_until, 1.0) if losses.perceptual_until else 1.0
        return losses.perceptual_start + (losses.perceptual_end - losses.perceptual_start) * done

    def generator_losses(
        self,
        discriminator: Discriminator,
        fake: DiscriminatorInput,
        real: DiscriminatorInput,
        generated: Generated,
        targets: Targets,
        seen: int,
    ) -> Losses:
        """The generator's and the style encoder's losses after `seen` photos."""
        found: Losses = {}
        style = generated.style
        if self.perceptual is not None:
            likeness = self.perceptual(fake, real, targets.alike)
            if style.drawn is not None:
                likeness = likeness * torch.where(style.drawn, self.losses.random_style_perceptual, 1.0)
            found["perceptual"] = self.perceptual_weight(seen) * likeness.mean()
        if style.drawn is not None and self.losses.color_weight:
            difference = fake.image.float() - real.image.float()
            apart = mean_colors(difference if targets.alike is None else difference * targets.alike)
            encoded = ~style.drawn[:, None, None, None]
            found["colour"] = self.losses.color_weight * (apart.abs() * encoded).mean()
        if style.mean is not None and style.log_variance is not None:
            # Every process's losses are averaged, a sum over the joined batch must not be.
            among = 1 / distributed.world_size() if self.losses.kl_sum else style.mean.numel()
            found["kl"] = self.losses.kl_weight * kl_divergence(style.mean, style.log_variance) / among
        if generated.style_error is not None:
            found["style"] = self.losses.style_weight * generated.style_error.mean()
        adversarial = self.adversarial_weight(seen)
        if adversarial > 0:
            found |= {
                f"g_{name}": adversarial * loss
                for name, loss in self._adversarial(discriminator, fake, real, targets.asked).items()
            }
        return found

    def _adversarial(
        self,
        discriminator: Discriminator,
        fake: DiscriminatorInput,
        real: DiscriminatorInput,
        target: ClassTarget,
    ) -> Losses:
        losses, found, of_real = self.losses, {}, DiscriminatorOutput()
        if losses.feature_weight or discriminator.mixes_rows:
            of_fake, of_real = discriminator(fake + real).split()
        else:
            of_fake = discriminator(fake)
        if of_fake.class_logits is not None and losses.class_weight:
            found["class"] = losses.class_weight * class_loss(
                of_fake.class_logits, target.channels, target.weights
            )
        if of_fake.scores and losses.gan_weight:
            found["gan"] = losses.gan_weight * generator_loss(of_fake.scores, losses.gan_mode)
        if of_fake.features and losses.feature_weight:
            found["features"] = losses.feature_weight * feature_matching(of_fake.features, of_real.features)
        return found

    def discriminator_losses(
        self,
        fake: DiscriminatorOutput,
        real: DiscriminatorOutput,
        targets: Targets,
        mixed: tuple[Tensor, Tensor] | None,
    ) -> Losses:
        """mixed: the mask of LabelMix, (B, 1, H, W), and the class logits of the mixed images."""
        losses, found = self.losses, {}
        if fake.class_logits is not None and real.class_logits is not None and losses.class_weight:
            fake_loss = generated_class_loss(fake.class_logits)
            learns = self._gate("fake", fake_loss, FAKE_FLOOR)
            real_loss = class_loss(real.class_logits, targets.shown.channels, targets.shown.weights)
            found["d_class_photos"] = losses.class_weight * real_loss
            found["d_class_fakes"] = losses.class_weight * learns * fake_loss
            if mixed is not None:
                mask, logits = mixed
                found["d_label_mix"] = losses.label_mix_weight * label_mix_loss(
                    logits, mask, real.class_logits, fake.class_logits
                )
        if fake.scores and losses.gan_weight:
            parts = {
                "d_gan_fakes": generated_loss(fake.scores, losses.gan_mode),
                "d_gan_photos": photo_loss(real.scores, losses.gan_mode),
            }
            learns = self._gate("hinge", (parts["d_gan_fakes"] + parts["d_gan_photos"]) / 2, HINGE_FLOOR)
            found |= {name: losses.gan_weight * learns * part for name, part in parts.items()}
        return found

    def _gate(self, name: str, loss: Tensor, floor: float) -> float:
        """1 where the discriminator has something to learn from this loss, else 0."""
        self.running[name] = 0.95 * self.running[name] + 0.05 * float(distributed.all_reduce_mean(loss))
        return float(not self.gate_discriminator or self.running[name] > floor)
