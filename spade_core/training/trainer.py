# SPDX-License-Identifier: Apache-2.0
"""One training step and all the state it changes."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ..contract.errors import Internal
from ..model.build import AnyGeneratorConfig, build_generator
from ..model.config import GeneratorConfig, StyleEncoderConfig
from ..model.spade import one_hot
from ..model.style_encoder import StyleEncoder, kl_divergence, sample_style
from .augment import DiffAugment
from .config import TrainingConfig
from .frozen_features import FrozenPyramid
from .initial_weights import start_from_labels
from .projected_discriminator import ProjectedDiscriminator, class_weights

FAKE_LOSS_FLOOR = 0.35
HINGE_FLOOR = 0.8
"""Below these running values the discriminator rests: a saturated one teaches nothing."""
TAP_WEIGHTS = (1.0, 1.0, 1.0, 1.0, 0.5)


def generator_config(config: TrainingConfig, label_channels: int) -> AnyGeneratorConfig:
    """Our own model: any size, seeded noise, a style code in every block."""
    return GeneratorConfig(
        label_channels=label_channels, base_width=config.base_width, max_width=config.max_width, norm="batch",
        spade_hidden=config.spade_hidden, start="labels+style", style_size=config.style_size, share_hidden=True,
        pointwise_from_step=3, style_in_blocks=True, noise=True, smooth_upsampling=True,
    )  # fmt: skip


def plain_state(network: nn.Module) -> dict[str, Tensor]:
    """The state dict with every spectral norm folded into its weight."""
    folded = {
        f"{name}.weight": effective_weight(module).detach()
        for name, module in network.named_modules()
        if parametrize.is_parametrized(module, "weight")
    }
    rest = {key: value for key, value in network.state_dict().items() if ".parametrizations." not in key}
    return {**rest, **folded}


def effective_weight(module: nn.Module) -> Tensor:
    # In training mode reading .weight would run one more power iteration.
    was_training = module.training
    module.eval()
    weight = module.weight
    module.train(was_training)
    return weight  # type: ignore[return-value]


class Trainer:
    """Generator, style encoder, discriminator, their optimisers and the averaged weights that are served."""

    def __init__(self, config: TrainingConfig, label_channels: int, device: torch.device) -> None:
        self.config, self.device, self.label_channels = config, device, label_channels
        torch.manual_seed(config.seed)
        self.generator_config = generator_config(config, label_channels)
        self.encoder_config = StyleEncoderConfig(
            config.style_size, base_width=16, input_size=128, instance_norm=False
        )
        self.generator = self._placed(build_generator(self.generator_config))
        start_from_labels(self.generator)
        self.encoder = self._placed(StyleEncoder(self.encoder_config))
        self.discriminator = self._placed(ProjectedDiscriminator(label_channels))
        self.pyramid = self._placed(FrozenPyramid()).eval()
        self.averaged = self._placed(build_generator(replace(self.generator_config, spectral=False))).eval()
        self.averaged_encoder = {name: value.clone() for name, value in plain_state(self.encoder).items()}
        betas = (0.0, 0.99)
        fast = [*self.generator.parameters(), *self.encoder.parameters()]
        self.generator_steps = torch.optim.Adam(fast, config.generator_rate, betas)
        self.discriminator_steps = torch.optim.Adam(
            self.discriminator.parameters(), config.discriminator_rate, betas
        )
        self.step = 0
        self.running = {"fake": 1.0, "hinge": 1.0}

    def _placed(self, network: nn.Module) -> Any:
        return network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def images_seen(self) -> int:
        return self.step * self.config.batch

    def calibrate(self, photos: Tensor) -> None:
        """photos: (B, 3, H, W) in [-1, 1]; sets the frozen features' statistics, once, before the first step."""
        with torch.no_grad(), self._mixed():
            self.discriminator.calibrate(self.pyramid(photos))

    def train_step(self, photos: Tensor, channels: Tensor) -> dict[str, float]:
        """photos: (B, 3, H, W) in [-1, 1]; channels: (B, H, W) int64. Returns the losses by name.

        Raises Internal, naming the loss, where one is no longer a number; weights are then unchanged by this step.
        """
        augment = DiffAugment(len(photos), photos.shape[-1])
        target = augment.labels(channels)
        photos_seen = augment.image(photos)
        weights = class_weights(target, self.label_channels)
        with torch.no_grad(), self._mixed():
            real_taps = self.discriminator.normalised(self.pyramid(photos_seen))
        fakes_seen, fake_taps, losses = self._generator_step(
            photos, channels, augment, real_taps, target, weights
        )
        if self.images_seen >= self.config.warmup:
            losses |= self._discriminator_step(photos_seen, real_taps, fakes_seen, fake_taps, target, weights)
        self._average()
        self.step += 1
        return losses

    def _mixed(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.bf16)

    def _generator_step(
        self, photos: Tensor, channels: Tensor, augment: DiffAugment, real_taps: list[Tensor], target: Tensor,
        weights: Tensor,
    ) -> tuple[Tensor, list[Tensor], dict[str, float]]:  # fmt: skip
        config = self.config
        adversarial, perceptual = self._schedule()
        self.discriminator.requires_grad_(False)
        with self._mixed():
            mean, log_variance = self.encoder(photos)
            drawn = torch.rand(len(photos), device=self.device) < config.random_styles
            encoded = sample_style(mean.float(), log_variance.float())
            style = torch.where(drawn[:, None], torch.randn_like(encoded), encoded)
            fakes = self.generator(
                one_hot(channels, self.label_channels).contiguous(memory_format=torch.channels_last), style
            )
            fakes_seen = augment.image(fakes)
            fake_taps = self.discriminator.normalised(self.pyramid(fakes_seen))
            likeness = sum(
                weight * (fake - real).abs().float().mean((1, 2, 3))
                for weight, fake, real in zip(TAP_WEIGHTS, fake_taps, real_taps, strict=True)
            ) / len(TAP_WEIGHTS)
            sample_weight = torch.where(drawn, config.random_style_perceptual, 1.0)
            losses = {
                "perceptual": perceptual * (likeness * sample_weight).mean(),
                "kl": config.kl_weight
                * kl_divergence(mean.float(), log_variance.float()) / (len(photos) * config.style_size),
            }  # fmt: skip
            if adversarial > 0:
                logits, scores = self.discriminator(fakes_seen, fake_taps)
                losses["g_class"] = adversarial * F.cross_entropy(
                    logits.float(), target, F.pad(weights, (0, 1)), reduction="sum"
                ) / target.numel()  # fmt: skip
                realism = -torch.stack([score.float().mean() for score in scores]).mean()
                losses["g_hinge"] = realism * (adversarial * config.hinge_weight)
        self._descend(self.generator_steps, losses)
        self.discriminator.requires_grad_(True)
        detached = [tap.detach() for tap in fake_taps]
        return fakes_seen.detach(), detached, {name: float(value.detach()) for name, value in losses.items()}

    def _discriminator_step(
        self, photos: Tensor, real_taps: list[Tensor], fakes: Tensor, fake_taps: list[Tensor], target: Tensor,
        weights: Tensor,
    ) -> dict[str, float]:  # fmt: skip
        with self._mixed():
            both = torch.cat([fakes.to(photos.dtype), photos])
            taps = [torch.cat(pair) for pair in zip(fake_taps, real_taps, strict=True)]
            logits, scores = self.discriminator(both, taps)
            fake_logits, real_logits = logits.float().chunk(2)
            generated = torch.full_like(target, self.label_channels)
            fake_loss = F.cross_entropy(fake_logits, generated)
            real_loss = F.cross_entropy(
                real_logits, target, F.pad(weights, (0, 1)), reduction="sum"
            ) / target.numel()  # fmt: skip
            pairs = [score.float().chunk(2) for score in scores]
            hinge = torch.stack(
                [F.relu(1 + fake).mean() + F.relu(1 - real).mean() for fake, real in pairs]
            ).mean()
        self._follow("fake", fake_loss)
        self._follow("hinge", hinge / 2)
        losses = {
            "d_real": real_loss,
            "d_fake": fake_loss * float(self.running["fake"] > FAKE_LOSS_FLOOR),
            "d_hinge": self.config.hinge_weight * hinge * float(self.running["hinge"] > HINGE_FLOOR / 2),
        }
        self._descend(self.discriminator_steps, losses)
        return {name: float(value.detach()) for name, value in losses.items()} | {
            "running_fake": self.running["fake"], "running_hinge": self.running["hinge"],
        }  # fmt: skip

    def _follow(self, name: str, value: Tensor) -> None:
        self.running[name] = 0.95 * self.running[name] + 0.05 * float(value.detach())

    def _descend(self, optimiser: torch.optim.Optimizer, losses: dict[str, Tensor]) -> None:
        for name, value in losses.items():
            if not math.isfinite(float(value.detach())):
                raise Internal(
                    f"The loss {name} is no longer a number at step {self.step}.",
                    fix="Continue from the last checkpoint with lower rates.",
                )
        optimiser.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()
        optimiser.step()

    def _schedule(self) -> tuple[float, float]:
        """Weights of the adversarial terms and of the perceptual loss after so many images."""
        config, seen = self.config, self.images_seen
        adversarial = min(max(seen - config.warmup, 0) / config.ramp, 1.0)
        done = min(seen / config.perceptual_until, 1.0)
        return adversarial, config.perceptual_start + (config.perceptual_end - config.perceptual_start) * done

    @torch.no_grad()
    def _average(self) -> None:
        decay = min(self.config.ema_decay, (1 + self.step) / (10 + self.step))
        for averaged, live in (
            (self.averaged.state_dict(), plain_state(self.generator)),
            (self.averaged_encoder, plain_state(self.encoder)),
        ):
            for name, value in live.items():
                if value.dtype.is_floating_point:
                    averaged[name].lerp_(value, 1 - decay)
                else:
                    averaged[name].copy_(value)

    def _freeze_statistics(self) -> None:
        """Normalise by the averaged statistics from now on, as the served model does, and leave them alone."""
        averaged = dict(self.averaged.named_modules())
        for name, module in self.generator.named_modules():
            if isinstance(module, nn.BatchNorm2d):
                module.load_state_dict(averaged[name].state_dict())
                module.eval()

    def state(self) -> dict[str, Any]:
        """Everything a continued run needs to go on as if it had not stopped; tensors and plain numbers only."""
        return {
            "step": self.step, "running": dict(self.running),
            "generator": self.generator.state_dict(), "encoder": self.encoder.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "averaged": self.averaged.state_dict(), "averaged_encoder": self.averaged_encoder,
            "generator_steps": self.generator_steps.state_dict(),
            "discriminator_steps": self.discriminator_steps.state_dict(),
            "random": torch.get_rng_state(),
        }  # fmt: skip

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of state()."""
        self.step, self.running = state["step"], dict(state["running"])
        for name in (
            "generator",
            "encoder",
            "discriminator",
            "averaged",
            "generator_steps",
            "discriminator_steps",
        ):
            getattr(self, name).load_state_dict(state[name])
        self.averaged_encoder = {
            name: value.to(self.device) for name, value in state["averaged_encoder"].items()
        }
        torch.set_rng_state(state["random"])
        if self.config.frozen_statistics:
            self._freeze_statistics()
