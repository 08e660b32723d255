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
from spade_core.training.state import restore, state_of
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


def perceptual_losses(name: str, steps: int) -> list[float]:
    """Of a recipe that trains as published on one batch, whose classes have colours, with features that are here."""
    recipe = tiny(PRESETS[name][1])
    wider = {"base_width": 8, "max_width": 32} | ({"spade_hidden": 16} if name == "paper" else {})
    recipe = replace(
        recipe,
        generator=replace(recipe.generator, **wider),
        losses=replace(PRESETS[name][1].losses, perceptual="taps"),
    )
    config = TrainingConfig(Path("data"), Path("run"), recipe=recipe, device="cpu", bf16=False)
    trainer = Trainer(config, CLASSES, None, torch.device("cpu"))
    random = torch.Generator().manual_seed(0)
    channels = torch.arange(16).reshape(4, 4) % CLASSES
    channels = torch.stack([channels, channels.T])
    channels = channels.repeat_interleave(16, 1).repeat_interleave(16, 2)
    shades = torch.rand(CLASSES, 3, generator=random) * 2 - 1
    photos = shades[channels].permute(0, 3, 1, 2) + 0.1 * torch.randn(2, 3, 64, 64, generator=random)
    trainer.calibrate(photos)
    batch = Batch(photos, channels, channels)
    return [trainer.train_step(batch)["perceptual"] for _ in range(steps)]


def test_class_adaptive_norms_come_as_near_to_photos_as_spade_does_in_as_many_steps():
    clade, spade = (perceptual_losses(name, 24) for name in ("clade", "paper"))
    fallen, wanted = (sum(each[:4]) - sum(each[-4:]) for each in (clade, spade))
    assert wanted > 0 and fallen > 0.8 * wanted


def test_a_state_from_before_class_tables_had_a_rate_of_their_own_goes_on():
    trainer, _, _ = trained("clade")
    before = state_of(trainer)
    now = trainer.generator_optimizer.state_dict()
    names = [id(weight) for weight in trainer.networks.generator.parameters()]
    numbers = [
        names.index(id(weight))
        for group in trainer.generator_optimizer.param_groups
        for weight in group["params"]
    ]
    one = {key: value for key, value in now["param_groups"][0].items() if key != "rate"}
    before["generator_optimizer"] = {
        "state": {place: now["state"][number] for number, place in enumerate(numbers)},
        "param_groups": [one | {"params": list(range(len(names)))}],
    }
    other, _, _ = trained("clade", 1)
    restore(other, before)
    for old, new in zip(
        trainer.networks.generator.parameters(), other.networks.generator.parameters(), strict=True
    ):
        kept, taken = trainer.generator_optimizer.state[old], other.generator_optimizer.state[new]
        assert torch.equal(kept["exp_avg_sq"], taken["exp_avg_sq"])
    assert [group.get("rate") for group in other.generator_optimizer.param_groups] == [1.0, 20.0]


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
