# SPDX-License-Identifier: Apache-2.0
"""One training step and all the state it changes."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .. import distributed
from ..contract.errors import Internal
from ..model.config import DecoderConfig
from ..model.discriminators.interface import DiscriminatorInput, DiscriminatorOutput
from ..model.losses import label_mix, label_mix_mask
from ..model.semantic_input import one_hot
from ..model.style_encoder import style_at
from .augment import Augment, DiffAugment, soften_borders
from .config import TrainingConfig
from .gradient_checkpointing import checkpoint_blocks, weights_once
from .initial_weights import start_from_photos
from .networks import Networks
from .objective import ClassTarget, Generated, Objective
from .style_bank import StyleBank


@dataclass(frozen=True)
class Batch:
    """Photos and what they show: this process's rows of the joined batch."""

    photos: Tensor
    """(B, 3, H, W) in [-1, 1]."""
    channels: Tensor
    """(B, H, W) int64, the one-hot channel of each pixel."""
    instances: Tensor | None = None
    """(B, H, W) int64 instance ids, for networks that look at instance edges."""

    def parts(self, count: int) -> list[Batch]:
        """The rows in `count` equal parts."""
        instances = [None] * count if self.instances is None else self.instances.chunk(count)
        return [
            Batch(*rows)
            for rows in zip(self.photos.chunk(count), self.channels.chunk(count), instances, strict=True)
        ]


@dataclass(frozen=True)
class StepInputs:
    """What one part of a batch is judged by: augmented once, alike for photos, fakes and labels."""

    batch: Batch
    labels: Tensor
    """(B, input_channels, H, W): the generator's input."""
    labels_seen: Tensor | None
    augment: Augment
    photos: DiscriminatorInput
    target: ClassTarget


class Trainer:
    """Networks, their optimizers, and the averaged weights that are served."""

    def __init__(
        self, config: TrainingConfig, label_channels: int, dont_care: int | None, device: torch.device
    ) -> None:
        """dont_care: the channel whose pixels no class loss counts. Raises what Networks.build raises."""
        self.config, self.recipe, self.device = config, config.recipe, device
        self.label_channels, self.dont_care = label_channels, dont_care
        torch.manual_seed(config.seed)
        self.networks = Networks.build(self.recipe, label_channels, device, config.vgg_weights)
        self.objective = Objective(
            self.recipe.losses, self.recipe.optimizer.gate_discriminator, self.networks.perceptual
        )
        if config.recompute:
            checkpoint_blocks(self.networks.generator)
        steps = self.recipe.optimizer
        betas = (steps.beta1, steps.beta2)
        painters = [self.networks.generator, *([self.networks.encoder] if self.networks.encoder else [])]
        self.generator_optimizer = torch.optim.Adam(
            [weight for network in painters for weight in network.parameters()], steps.generator_lr, betas
        )
        self.discriminator_optimizer = torch.optim.Adam(
            [{"params": list(self.networks.discriminator.parameters())}], steps.discriminator_lr, betas
        )
        self.style_bank = StyleBank(self.networks.generator.config.style_size)
        self.step = self.images_seen = 0
        self.started_from: dict[str, Any] | None = None
        """Whose weights this run began with, as provenance; None for random ones."""

    @property
    def lr_scale(self) -> float:
        """What the rates are multiplied with after so many photos: 1, then falling to 0 at the end of the run."""
        falling = self.config.images * (1 - self.recipe.optimizer.decay_from)
        left = max(self.config.images - self.images_seen, 0)
        return min(left / falling, 1.0) if falling else 1.0

    def calibrate(self, photos: Tensor) -> None:
        """Set the frozen features' statistics and the first style codes' spread, once, before the first step.

        photos: (B, 3, H, W) in [-1, 1].
        """
        if self.networks.features is not None:
            with self._mixed():
                self.networks.features.calibrate(photos)
        if self.networks.encoder is not None and self.recipe.start == "labels first":
            start_from_photos(self.networks.encoder, photos)

    def train_step(self, batch: Batch) -> dict[str, float]:
        """Returns the weighted losses by name, of the joined batch.

        The batch goes through in config.accumulate parts, whose gradients are averaged: less memory, the same step.
        Raises Internal, naming the loss, where one is no longer a number; weights are then unchanged by this step.
        """
        told: dict[str, float] = defaultdict(float)
        opposed = self.recipe.discriminator is not None and self.images_seen >= self.recipe.losses.warmup
        regenerate_for_discriminator = opposed and self.recipe.optimizer.regenerate_for_discriminator
        for optimizer in (self.generator_optimizer, self.discriminator_optimizer):
            optimizer.zero_grad(set_to_none=True)
        sittings = []
        for part in batch.parts(self.config.accumulate):
            sitting = self._sitting(part)
            fakes = self._generator_part(sitting, told)
            if regenerate_for_discriminator:
                sittings.append(sitting)
            elif opposed:
                self._backward(self._judged(fakes.detached(), sitting), told)
        self._optimizer_step(self.generator_optimizer)
        for sitting in sittings:
            with torch.no_grad(), self._mixed():
                painted = self._paint(sitting.batch.photos, sitting.labels)
                fakes = self._seen(sitting.augment.image(painted.image), sitting.labels_seen)
            self._backward(self._judged(fakes, sitting), told)
        if opposed:
            self._optimizer_step(self.discriminator_optimizer)
        decay = min(self.recipe.optimizer.ema_decay, (1 + self.step) / (10 + self.step))
        self.networks.ema.update(self.networks.generator, self.networks.encoder, decay)
        self.step += 1
        self.images_seen += len(batch.photos) * distributed.world_size()
        return dict(told)

    def _sitting(self, batch: Batch) -> StepInputs:
        augment = DiffAugment(*batch.channels.shape) if self.recipe.crops.augment else Augment()
        labels = self._semantic(batch.channels, batch.instances).to(batch.photos)
        generator = self.networks.generator.config
        if isinstance(generator, DecoderConfig) and generator.label_sampling == "area":
            spread = distributed.local_rows(torch.rand(len(labels) * distributed.world_size())) / 4
            labels = soften_borders(labels, spread.to(labels))
        labels_seen = self._labels_seen(batch, labels, augment)
        target = ClassTarget.of(
            augment.labels(batch.channels), self.label_channels, self.dont_care, self.recipe.losses.class_cap
        )
        with torch.no_grad(), self._mixed():
            photos = self._seen(augment.image(batch.photos), labels_seen)
        return StepInputs(batch, labels, labels_seen, augment, photos, target)

    def _generator_part(self, sitting: StepInputs, told: dict[str, float]) -> DiscriminatorInput:
        """The generator's gradients of one part; returns what it painted, as the discriminator sees it."""
        with weights_once(self.networks.generator) if self.config.recompute else nullcontext():
            with self._mixed(), frozen(self.networks.discriminator):
                painted = self._paint(sitting.batch.photos, sitting.labels)
                fakes = self._seen(sitting.augment.image(painted.image), sitting.labels_seen)
                losses = self.objective.of_generator(
                    self.networks.discriminator, fakes, sitting.photos, painted, sitting.target, self.images_seen
                )  # fmt: skip
            self._backward(losses, told)
        return fakes

    def _mixed(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.bf16)

    def _semantic(self, channels: Tensor, instances: Tensor | None) -> Tensor:
        edges = instances if self.networks.generator.config.instance_edges else None
        return one_hot(channels, self.label_channels, edges).contiguous(memory_format=torch.channels_last)

    def _labels_seen(self, batch: Batch, labels: Tensor, augment: Augment) -> Tensor | None:
        """What a discriminator sees beside an augmented image, where it looks at labels at all."""
        if not self.networks.discriminator.needs_labels:
            return None
        if not self.recipe.crops.augment:
            return labels
        instances = None if batch.instances is None else augment.labels(batch.instances)
        return self._semantic(augment.labels(batch.channels), instances).to(labels)

    def _seen(self, image: Tensor, labels: Tensor | None) -> DiscriminatorInput:
        features = self.networks.features
        return DiscriminatorInput(image, labels, [] if features is None else features(image))

    def _paint(self, photos: Tensor, labels: Tensor) -> Generated:
        """Images in styles of which some are encoded from the photos, some drawn."""
        generator, encoder = self.networks.generator, self.networks.encoder
        whole = len(photos) * distributed.world_size()

        normal = distributed.local_rows(torch.randn(whole, generator.config.style_size)).to(labels)
        if encoder is None:
            style, mean, log_variance, drawn = normal, None, None, None
        else:
            mean, log_variance = (value.to(photos.dtype) for value in encoder(photos))
            style = style_at(mean, log_variance, normal)
            self.style_bank.add(style)
            drawn = (
                distributed.local_rows(torch.rand(whole)).to(self.device) < self.recipe.losses.random_styles
            )
            style = torch.where(drawn[:, None], distributed.local_rows(self.style_bank.draw(whole)), style)
        height, width = labels.shape[-2:]
        noise = [distributed.local_rows(plane) for plane in generator.draw_noise(whole, height, width)]
        image = generator(labels, style, noise)
        return Generated(image, mean, log_variance, drawn, self._style_error(image, style))

    def _style_error(self, image: Tensor, style: Tensor) -> Tensor | None:
        """How far the styles that are read from pictures are from those they were painted in: (B,).

        The averaged encoder reads them: it is the one that is served, and its weights take no gradient.
        """
        encoder = self.networks.ema.encoder
        if encoder is None or not self.recipe.losses.style_weight:
            return None
        # In full precision: codes differ by little, and bf16 has three digits.
        with torch.autocast(self.device.type, enabled=False):
            mean, _ = encoder(image.to(style.dtype))
        return (mean - style.detach()).abs().mean(1)

    def _judged(self, fakes: DiscriminatorInput, sitting: StepInputs) -> dict[str, Tensor]:
        """The discriminator's losses."""
        photos, target = sitting.photos, sitting.target
        with self._mixed():
            of_fakes, of_photos = self.networks.discriminator(fakes + photos).split()
            mixed = None
            if self.recipe.losses.label_mix_weight:
                mask = label_mix_mask(target.channels, self.label_channels)
                image = label_mix(mask, photos.image, fakes.image)
                with torch.no_grad():
                    seen = self._seen(image, photos.labels)
                judgement: DiscriminatorOutput = self.networks.discriminator(seen)
                mixed = None if judgement.class_logits is None else (mask, judgement.class_logits)
            return self.objective.of_discriminator(of_fakes, of_photos, target, mixed)

    def _backward(self, losses: dict[str, Tensor], told: dict[str, float]) -> None:
        """Add the gradients of one part of the batch, and its share of the losses to what is told."""
        if not losses:  # a warm-up without a perceptual loss
            return
        each = torch.stack(list(losses.values())) / self.config.accumulate
        for name, value in zip(losses, distributed.all_reduce_mean(each).tolist(), strict=True):
            if not math.isfinite(value):
                raise Internal(
                    f"The loss {name} is no longer a number at step {self.step}.",
                    fix="Continue from the last checkpoint with lower rates.",
                )
            told[name] += value
        each.sum().backward()

    def _optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Step along the gradients of the joined batch."""
        distributed.average_gradients(
            weight for group in optimizer.param_groups for weight in group["params"]
        )
        for group in optimizer.param_groups:
            # Not the saved rate: a run may be continued with another.
            group["lr"] = optimizer.defaults["lr"] * self.lr_scale
        optimizer.step()


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Its weights take no gradient inside; what is built inside may be differentiated outside."""
    network.requires_grad_(False)
    try:
        yield
    finally:
        network.requires_grad_(True)
