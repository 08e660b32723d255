# SPDX-License-Identifier: Apache-2.0
"""Every generator of the paper is trained by the one trainer, as a recipe of its own."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from spade_core.features import vgg19
from spade_core.model.discriminators.patchgan import MultiscaleConfig
from spade_core.model.interface import ImageGenerator
from spade_core.model.paper import GENERATORS
from spade_core.training.batch import Batch
from spade_core.training.config import TrainingConfig
from spade_core.training.presets import PRESETS
from spade_core.training.recipe import Recipe
from spade_core.training.trainer import Trainer

CLASSES = 5


def tiny(recipe: Recipe) -> Recipe:
    """Networks of a few channels, no perceptual loss but cascaded refinement's."""
    small = {"base_width": 4, "max_width": 8, "spade_hidden": 4, "style_size": 3, "blocks": 1, "modules": 4}
    has = {field.name for field in fields(recipe.generator)}
    if not recipe.generator.style_size:
        has.remove("style_size")
    losses = recipe.losses
    if losses.perceptual != "crn":
        losses = replace(losses, perceptual_start=0.0, perceptual_end=0.0, warmup=0, ramp=0)
    return replace(
        recipe,
        generator=replace(recipe.generator, **{name: value for name, value in small.items() if name in has}),
        discriminator=replace(recipe.discriminator, base_width=4)
        if isinstance(recipe.discriminator, MultiscaleConfig)
        else recipe.discriminator,
        losses=losses,
        crops=replace(recipe.crops, size=64, batch=2),
    )


def trained(name: str, steps: int = 2) -> tuple[Trainer, dict[str, float], dict[str, Tensor]]:
    """A trainer after some steps, the last losses, and the generator's weights before."""
    config = TrainingConfig(
        Path("data"), Path("run"), recipe=tiny(PRESETS[name][1]), device="cpu", bf16=False
    )
    trainer = Trainer(config, CLASSES, None, torch.device("cpu"))
    before = {key: value.clone() for key, value in trainer.networks.generator.named_parameters()}
    random = torch.Generator().manual_seed(0)
    channels = torch.randint(0, CLASSES, (2, 4, 4), generator=random)
    channels = channels.repeat_interleave(16, 1).repeat_interleave(16, 2)
    batch = Batch(torch.rand(2, 3, 64, 64, generator=random) * 2 - 1, channels, channels)
    losses: dict[str, float] = {}
    for _ in range(steps):
        losses = trainer.train_step(batch)
    return trainer, losses, before


def test_every_generator_has_a_recipe():
    assert set(GENERATORS) - {"spade"} <= set(PRESETS)
    assert PRESETS["paper"][1].generator == GENERATORS["paper"].config
    for name in set(GENERATORS) - {"spade"}:
        assert PRESETS[name][1].generator == GENERATORS[name].config


@pytest.mark.parametrize(
    "name",
    [
        "spade-kernel-1",
        "spade-instance",
        "spade-random",
        "concat",
        "pix2pixhd++-spade",
        "pix2pixhd++-concat",
        "pix2pixhd",
        "pix2pixhd-enhanced",
        "clade",
    ],
)
def test_a_recipe_trains_its_generator_and_what_is_served_follows(name):
    trainer, losses, before = trained(name)
    assert {"g_gan", "g_features", "d_gan_fakes", "d_gan_photos"} <= losses.keys()
    assert all(math.isfinite(value) for value in losses.values())
    generator: ImageGenerator = trainer.networks.generator
    moved = [key for key, value in generator.named_parameters() if not torch.equal(value, before[key])]
    assert len(moved) > 0.9 * len(before)
    labels = torch.eye(CLASSES)[torch.randint(0, CLASSES, (1, 64, 64))].permute(0, 3, 1, 2)
    style = torch.zeros(1, generator.config.style_size)
    with torch.no_grad():
        live = generator.eval()(labels, style)
        served = trainer.networks.ema.generator(labels, style)
    assert torch.allclose(live, served, atol=1e-4)


def test_our_own_recipe_trains_class_adaptive_norms_too():
    trainer, losses, before = trained("frozen-clade")
    assert all(math.isfinite(value) for value in losses.values())
    still = [
        name
        for name, value in trainer.networks.generator.named_parameters()
        if torch.equal(value, before[name])
    ]
    assert still == []


def test_cascaded_refinement_learns_from_its_perceptual_loss_alone(monkeypatch):
    weights = {}
    fan_in = 3
    for stage, first in zip(vgg19.STAGES, vgg19.FIRST_INDEX, strict=True):
        for offset, fan_out in enumerate(stage):
            key = f"features.{first + 2 * offset}"
            weights[f"{key}.weight"] = torch.full((1, 1, 1, 1), 1 / (9 * fan_in)).expand(
                fan_out, fan_in, 3, 3
            )
            weights[f"{key}.bias"] = torch.zeros(fan_out)
            fan_in = fan_out
    monkeypatch.setattr(
        "spade_core.training.networks.load_vgg19", lambda path, read: vgg19.Vgg19(weights, read)
    )
    _, first, _ = trained("crn", 1)
    _, losses, _ = trained("crn", 5)
    assert losses.keys() == {"perceptual"} and losses["perceptual"] < first["perceptual"]
