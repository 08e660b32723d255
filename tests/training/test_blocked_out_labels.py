# SPDX-License-Identifier: Apache-2.0
"""Where a blocked-out label map asks for something else than the photo shows, the photo is no example for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from spade_core.training.batch import Batch
from spade_core.training.config import TrainingConfig
from spade_core.training.presets import PRESETS
from spade_core.training.trainer import Trainer
from tests.training.test_training_variants import CLASSES, tiny

RANDOM = torch.Generator().manual_seed(0)
PHOTOS = torch.rand(2, 3, 64, 64, generator=RANDOM) * 2 - 1
SHOWN = torch.randint(0, CLASSES, (2, 64, 64), generator=RANDOM)
ELSEWHERE = (SHOWN + 1) % CLASSES


def first_losses(preset: str, batch: Batch) -> dict[str, float]:
    """Of the first step; everything random is drawn alike."""
    recipe = tiny(PRESETS[preset][1])
    losses = replace(recipe.losses, perceptual_start=1.0, perceptual_end=1.0, random_styles=0.0)
    if losses.perceptual != "taps":
        losses = replace(losses, perceptual="taps")
    recipe = replace(recipe, losses=losses)
    config = TrainingConfig(Path("data"), Path("run"), recipe=recipe, device="cpu", bf16=False)
    return Trainer(config, CLASSES, None, torch.device("cpu")).train_step(batch)


@pytest.fixture(scope="module")
def blocked() -> dict[str, float]:
    return first_losses("frozen", Batch(PHOTOS, ELSEWHERE, shown=SHOWN))


def test_photos_are_judged_by_what_they_show(blocked):
    plain = first_losses("frozen", Batch(PHOTOS, SHOWN))
    misled = first_losses("frozen", Batch(PHOTOS, ELSEWHERE))
    assert blocked["d_class_photos"] == pytest.approx(plain["d_class_photos"], rel=1e-4)
    assert misled["d_class_photos"] != pytest.approx(plain["d_class_photos"], rel=1e-3)


def test_the_photo_is_compared_only_where_it_shows_what_was_asked(blocked):
    assert blocked["perceptual"] == blocked["colour"] == 0
    half = SHOWN.clone()
    half[:, :, 32:] = ELSEWHERE[:, :, 32:]
    partly = first_losses("frozen", Batch(PHOTOS, half, shown=SHOWN))
    whole = first_losses("frozen", Batch(PHOTOS, half))
    assert 0.3 < partly["perceptual"] / whole["perceptual"] < 0.7


def test_the_generator_is_asked_for_the_blocked_out_map(blocked):
    plain = first_losses("frozen", Batch(PHOTOS, SHOWN, shown=SHOWN))
    assert blocked["g_class"] != pytest.approx(plain["g_class"], rel=1e-4)


def test_a_discriminator_that_looks_at_labels_sees_photos_beside_what_they_show():
    """Of two steps that differ in what is asked alone, its loss on photos is the same."""
    one = first_losses("paper", Batch(PHOTOS, ELSEWHERE, shown=SHOWN))
    other = first_losses("paper", Batch(PHOTOS, SHOWN, shown=SHOWN))
    assert one["d_gan_photos"] == pytest.approx(other["d_gan_photos"], rel=1e-4)
