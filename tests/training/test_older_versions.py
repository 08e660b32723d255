# SPDX-License-Identifier: Apache-2.0
"""Files that an older version wrote go on in this one.

tests/golden/before_crops was written by the version whose recipes had squares and steps where there are crops and an
optimizer now: a model, the picture that it painted with seed 5, and the state of the run after four photos.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from spade_core.model.discriminators.patchgan import MultiscaleConfig
from spade_core.synthesis.synthesizer import Synthesizer
from spade_core.training.config import TrainingConfig
from spade_core.training.presets import FROZEN
from spade_core.training.recipe import Recipe
from spade_core.training.run import Run
from spade_core.training.state import load_state
from tests.support.small_data import save

OLDER = Path(__file__).parents[1] / "golden" / "before_crops"
SKY, GRASS = 0, 6


def read(name: str) -> np.ndarray:
    with Image.open(OLDER / name) as picture:
        return np.array(picture)


def recipe_of_then() -> Recipe:
    generator = replace(
        FROZEN.generator, base_width=4, max_width=16, spade_hidden=8, style_size=4, label_sampling="nearest"
    )
    assert FROZEN.encoder is not None
    return replace(
        FROZEN,
        generator=generator,
        encoder=replace(FROZEN.encoder, base_width=4),
        discriminator=MultiscaleConfig(base_width=4),
        crops=replace(FROZEN.crops, size=64, batch=2),
        losses=replace(FROZEN.losses, warmup=2, ramp=2),
    )


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    for index in range(6):
        ids = np.where(np.arange(96)[:, None] < random.integers(30, 60), SKY, GRASS) * np.ones(96, int)
        save(tmp_path / "data" / "labels" / f"p{index}.png", ids.astype(np.uint8))
        save(
            tmp_path / "data" / "images" / f"p{index}.png",
            np.repeat(ids[..., None] * 20, 3, 2).astype(np.uint8),
        )
    return tmp_path / "data"


def test_an_older_model_paints_the_picture_that_it_painted_then():
    model = Synthesizer.load(OLDER / "model_00000004.safetensors", "cpu")
    painted = model.render(read("labels.png"), seed=5).astype(int)
    # Another processor may round one value in thousands to the neighbouring byte.
    assert np.abs(painted - read("picture.png")).max() <= 1


def test_an_older_state_goes_on(photos: Path, tmp_path: Path):
    run_folder = tmp_path / "run"
    run_folder.mkdir()
    shutil.copy(OLDER / "state_00000004.pt", run_folder)
    config = TrainingConfig(
        photos, run_folder, images=8, recipe=recipe_of_then(), workers=0, device="cpu", bf16=False, threads=1
    )
    run = Run.open(config)
    then = torch.load(OLDER / "state_00000004.pt", weights_only=True)
    assert (run.trainer.step, run.trainer.images_seen) == (2, 4)
    for name, value in run.trainer.networks.ema.generator.state_dict().items():
        assert torch.equal(value, then["averaged"][name]), name
    moments = run.trainer.generator_optimizer.state_dict()["state"][0]["exp_avg_sq"]
    assert torch.equal(moments, then["generator_steps"]["state"][0]["exp_avg_sq"])
    run.train(lambda seen, losses, rate: None)
    assert load_state(run_folder / "state_00000008.pt")["step"] == 4
