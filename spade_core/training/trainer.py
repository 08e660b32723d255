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
from ..contract.errors import InternalError
from ..contract.labels import LabelSet
from ..model.config import DecoderConfig
from ..model.discriminators.interface import DiscriminatorInput
from ..model.losses import label_mix, label_mix_mask
from ..model.semantic_input import one_hot
from .augment import Augment, DiffAugment, soften_borders
from .batch import Batch
from .config import TrainingConfig
from .gradient_checkpointing import checkpoint_blocks, weights_once
from .initial_weights import start_from_photos
from .networks import Networks
from .objective import ClassTarget, Generated, Losses, Objective, Targets
from .optimizers import generator_groups
from .styles import StyleSampler


@dataclass(frozen=True)
class StepInputs:
    """One part of a batch, prepared: augmented once, alike for photos, generated images and labels."""

    photos: Tensor
    """(B, 3, H, W) in [-1, 1], as they are: what styles are encoded from."""
    labels: Tensor
    """(B, input_channels, H, W): the generator's input."""
    augment: Augment
    real: DiscriminatorInput
    """The augmented photos, and the labels that they show where the discriminator looks at those."""
    asked: Tensor | None
    """The labels that it sees beside generated images."""
    targets: Targets


class Trainer:
    """Networks, their optimizers, and the averaged weights that are served."""

    def __init__(
        self, config: TrainingConfig, label_channels: int, dont_care: int | None, device: torch.device
    ) -> None:
        """dont_care: the channel whose pixels no class loss counts. Raises what Networks.build raises."""
        self.config, self.recipe, self.device = config, config.recipe, device
        self.label_channels, self.dont_care = label_channels, dont_care
        self.label_set: LabelSet | None = None
        """Whose labels the channels are; a state keeps it, so that a run does not go on with another one."""
        torch.manual_seed(config.seed)
        self.networks = Networks.build(self.recipe, label_channels, device, config.vgg_weights)
        self.objective = Objective(
            self.recipe.losses, self.recipe.optimizer.gate_discriminator, self.networks.perceptual
        )
        if config.recompute:
            checkpoint_blocks(self.networks.generator)
        rates = self.recipe.optimizer
        betas = (rates.beta1, rates.beta2)
        generating = self.networks.generating
        self.generator_optimizer = torch.optim.Adam(
            generator_groups(generating, rates.table_rate), rates.generator_lr, betas
        )
        self.discriminator_optimizer = torch.optim.Adam(
            [{"params": list(self.networks.discriminator.parameters())}], rates.discriminator_lr, betas
        )
        self.styles = StyleSampler(
            self.networks.generator.config.style_size, self.recipe.losses.random_styles
        )
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
            with self._autocast():
                self.networks.features.calibrate(photos)
        if self.networks.encoder is not None and self.recipe.start == "labels first":
            start_from_photos(self.networks.encoder, photos)

    def train_step(self, batch: Batch) -> dict[str, float]:
        """Generator and style encoder take a step, then the discriminator (paper, section 3 and appendix A).

        The batch goes through in config.accumulate parts, whose gradients are averaged: less memory, the same step.
        Returns the weighted losses by name, of the joined batch. Raises InternalError, naming the loss, where one is no
        longer a number; weights are then unchanged by this step.
        """
        networks, losses = self.networks, defaultdict(float)
        adversarial = self.recipe.discriminator is not None and self.images_seen >= self.recipe.losses.warmup
        self.generator_optimizer.zero_grad(set_to_none=True)
        self.discriminator_optimizer.zero_grad(set_to_none=True)
        parts: list[tuple[StepInputs, DiscriminatorInput]] = []
        for rows in batch.parts(self.config.accumulate):
            inputs = self._prepare(rows)
            with weights_once(networks.generator) if self.config.recompute else nullcontext():
                with self._autocast(), frozen(networks.discriminator):
                    generated = self._generate(inputs)
                    fake = self._discriminator_input(generated.image, inputs)
                    terms = self.objective.generator_losses(
                        networks.discriminator, fake, inputs.real, generated, inputs.targets, self.images_seen
                    )
                self._backward(terms, losses)
            parts.append((inputs, fake.detached()))
        self._optimizer_step(self.generator_optimizer)
        if adversarial:
            for inputs, fake in parts:
                if self.recipe.optimizer.regenerate_for_discriminator:
                    with torch.no_grad(), self._autocast():
                        fake = self._discriminator_input(self._generate(inputs).image, inputs)
                self._backward(self._discriminator_losses(fake, inputs), losses)
            self._optimizer_step(self.discriminator_optimizer)
        decay = min(self.recipe.optimizer.ema_decay, (1 + self.step) / (10 + self.step))
        networks.ema.update(networks.generator, networks.encoder, decay)
        self.step += 1
        self.images_seen += len(batch.photos) * distributed.world_size()
        return dict(losses)

    def _prepare(self, batch: Batch) -> StepInputs:
        crops, config = self.recipe.crops, self.networks.generator.config
        augment = DiffAugment(*batch.channels.shape) if crops.augment else Augment()
        labels = self._one_hot(batch.channels, batch.instances).to(batch.photos)
        channels, shown, alike = augment.labels(batch.channels), None, None
        if batch.shown is not None:
            shown = augment.labels(batch.shown)
            alike = (channels == shown)[:, None].float()
        instances = None if batch.instances is None else augment.labels(batch.instances)
        beside_fakes = beside_photos = None
        if self.networks.discriminator.needs_labels:
            beside_fakes = beside_photos = self._one_hot(channels, instances).to(labels)
            if shown is not None:
                beside_photos = self._one_hot(shown, instances).to(labels)
        if isinstance(config, DecoderConfig) and config.label_sampling == "area":
            spread = distributed.local_rows(torch.rand(len(labels) * distributed.world_size())) / 4
            labels = soften_borders(labels, spread.to(labels))
        asked = self._target(channels)
        targets = Targets(asked, asked if shown is None else self._target(shown), alike)
        with torch.no_grad(), self._autocast():
            image = augment.image(batch.photos)
            real = DiscriminatorInput(image, beside_photos, self._features(image))
        return StepInputs(batch.photos, labels, augment, real, beside_fakes, targets)

    def _target(self, channels: Tensor) -> ClassTarget:
        return ClassTarget.of(channels, self.label_channels, self.dont_care, self.recipe.losses.class_cap)

    def _generate(self, inputs: StepInputs) -> Generated:
        """Images in styles of which some are encoded from the photos, some drawn from other photos."""
        generator = self.networks.generator
        batch, (height, width) = len(inputs.photos) * distributed.world_size(), inputs.labels.shape[-2:]
        style = self.styles.of(inputs.photos, self.networks.encoder)
        noise = [distributed.local_rows(plane) for plane in generator.draw_noise(batch, height, width)]
        image = generator(inputs.labels, style.code, noise)
        return Generated(image, style, self._style_error(image, style.code))

    def _style_error(self, image: Tensor, code: Tensor) -> Tensor | None:
        """How far the codes that are read from images are from those they were generated with: (B,).

        The averaged encoder reads them: it is the one that is served, and its weights take no gradient.
        """
        encoder = self.networks.ema.encoder
        if encoder is None or not self.recipe.losses.style_weight:
            return None
        # In full precision: codes differ by little, and bf16 has three digits.
        with torch.autocast(self.device.type, enabled=False):
            mean, _ = encoder(image.to(code.dtype))
        return (mean - code.detach()).abs().mean(1)

    def _discriminator_input(self, image: Tensor, inputs: StepInputs) -> DiscriminatorInput:
        """Generated images, (B, 3, H, W), augmented as their photos are."""
        image = inputs.augment.image(image)
        return DiscriminatorInput(image, inputs.asked, self._features(image))

    def _discriminator_losses(self, fake: DiscriminatorInput, inputs: StepInputs) -> Losses:
        discriminator, real, targets = self.networks.discriminator, inputs.real, inputs.targets
        with self._autocast():
            of_fake, of_real = discriminator(fake + real).split()
            mixed = None
            if self.recipe.losses.label_mix_weight:
                mask = label_mix_mask(targets.asked.channels, self.label_channels)
                image = label_mix(mask, real.image, fake.image)
                with torch.no_grad():
                    features = self._features(image)
                logits = discriminator(DiscriminatorInput(image, real.labels, features)).class_logits
                mixed = None if logits is None else (mask, logits)
            return self.objective.discriminator_losses(of_fake, of_real, targets, mixed)

    def _features(self, image: Tensor) -> list[Tensor]:
        """Of the frozen pyramid, where discriminator or perceptual loss look at them."""
        return [] if self.networks.features is None else self.networks.features(image)

    def _one_hot(self, channels: Tensor, instances: Tensor | None) -> Tensor:
        edges = instances if self.networks.generator.config.instance_edges else None
        return one_hot(channels, self.label_channels, edges).contiguous(memory_format=torch.channels_last)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.bf16)

    def _backward(self, terms: Losses, losses: dict[str, float]) -> None:
        """Add the gradients of one part of the batch, and its share to the losses of the step."""
        if not terms:  # a warm-up without a perceptual loss
            return
        each = torch.stack(list(terms.values())) / self.config.accumulate
        for name, value in zip(terms, distributed.all_reduce_mean(each).tolist(), strict=True):
            if not math.isfinite(value):
                raise InternalError(
                    f"The loss {name} is no longer a number at step {self.step}.",
                    fix="Continue from the last checkpoint with lower rates.",
                )
            losses[name] += value
        each.sum().backward()

    def _optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Step along the gradients of the joined batch."""
        distributed.average_gradients(
            weight for group in optimizer.param_groups for weight in group["params"]
        )
        for group in optimizer.param_groups:
            # Not the saved rate: a run may be continued with another.
            group["lr"] = optimizer.defaults["lr"] * group.get("rate", 1.0) * self.lr_scale
        optimizer.step()


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Its weights take no gradient inside; what is built inside may be differentiated outside."""
    network.requires_grad_(False)
    try:
        yield
    finally:
        network.requires_grad_(True)
