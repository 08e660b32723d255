# SPDX-License-Identifier: Apache-2.0
"""Less memory, the same model: batches in parts, activations computed twice; and what is said when it is too little."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from spade_core.contract.errors import BadOptionError
from spade_core.training.batch import Batch
from spade_core.training.config import TrainingConfig
from spade_core.training.presets import CRN, FROZEN, PAPER_STYLE
from spade_core.training.recipe import Recipe
from spade_core.training.trainer import Trainer

CLASSES = 5


def small(recipe: Recipe) -> Recipe:
    generator = replace(recipe.generator, base_width=4, max_width=16, spade_hidden=8, style_size=4)  # type: ignore[call-arg]
    encoder = recipe.encoder and replace(recipe.encoder, base_width=4)
    losses = replace(recipe.losses, perceptual="taps", warmup=0, ramp=0)
    return replace(
        recipe, generator=generator, encoder=encoder, losses=losses, crops=replace(recipe.crops, size=64, batch=4),
        optimizer=replace(recipe.optimizer, ema_decay=0.0),
    )  # fmt: skip


def trained(recipe: Recipe, **options: object) -> tuple[dict[str, Tensor], dict[str, float]]:
    """The served weights and the last losses after two steps."""
    config = TrainingConfig(Path(), Path(), recipe=recipe, bf16=False, device="cpu", **options)  # type: ignore[arg-type]
    trainer = Trainer(config, CLASSES, None, torch.device("cpu"))
    random = torch.Generator().manual_seed(8)
    photos = torch.rand(4, 3, 64, 64, generator=random) * 2 - 1
    channels = (
        torch.randint(CLASSES, (4, 8, 8), generator=random).repeat_interleave(8, 1).repeat_interleave(8, 2)
    )
    trainer.calibrate(photos)
    losses = [trainer.train_step(Batch(photos, channels)) for _ in range(2)]
    return trainer.networks.ema.generator.state_dict(), losses[-1]


@pytest.mark.parametrize("recipe", [FROZEN, PAPER_STYLE], ids=["frozen", "paper-style"])
def test_activations_computed_twice_give_the_same_weights_and_statistics(recipe: Recipe):
    kept, kept_losses = trained(small(recipe))
    twice, twice_losses = trained(small(recipe), recompute=True)
    assert twice_losses == pytest.approx(kept_losses, rel=1e-4)
    for name, value in kept.items():
        assert torch.allclose(twice[name], value, atol=1e-5), name


def test_a_generator_without_blocks_says_that_it_cannot_compute_twice():
    with pytest.raises(BadOptionError, match="twice"):
        trained(replace(CRN, losses=replace(CRN.losses, perceptual="taps")), recompute=True)


def test_a_batch_in_parts_gives_the_mean_of_their_gradients():
    """Of a recipe whose parts do not look at each other: no batch statistics, no augmentation, no random styles."""
    recipe = small(FROZEN)
    recipe = replace(
        recipe,
        encoder=None,
        generator=replace(
            recipe.generator, style_size=0, style_in_blocks=False, start="labels", noise=False, spectral=False
        ),
        losses=replace(recipe.losses, class_weight=0.0, gan_weight=0.0, random_styles=0.0, color_weight=0.0),
        crops=replace(recipe.crops, augment=False),
        optimizer=replace(recipe.optimizer, generator_lr=1e-3),
    )  # fmt: skip
    whole, whole_losses = trained(recipe)
    parts, parts_losses = trained(recipe, accumulate=2)
    assert parts_losses == pytest.approx(whole_losses, rel=1e-4)
    close = [torch.allclose(parts[name], value, atol=1e-4) for name, value in whole.items()]
    assert all(close)


def test_every_loss_of_a_batch_in_parts_is_told_as_a_mean():
    _, whole = trained(small(FROZEN))
    _, parts = trained(small(FROZEN), accumulate=4)
    assert parts.keys() == whole.keys()
    assert all(0.2 < parts[name] / whole[name] < 5 for name in whole if whole[name] > 0.01)


TOO_MUCH = """
import resource, sys
from dataclasses import replace
from pathlib import Path
from spade_core.contract.errors import OutOfMemoryError
from spade_core.training.config import TrainingConfig
from spade_core.training.presets import FROZEN
from spade_core.training.run import Run

crops = replace(FROZEN.crops, size=256, batch=32)
config = TrainingConfig(Path(sys.argv[1]), Path(sys.argv[2]), recipe=replace(FROZEN, crops=crops), images=32,
                        workers=0, device="cpu", bf16=False, threads=1)
run = Run.open(config)
pages = int(Path("/proc/self/statm").read_text().split()[0])
resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (1500 << 20),) * 2)
try:
    run.train(lambda *told: None)
except OutOfMemoryError as error:
    print(error.message, error.fix)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is limited by means of Linux here")
def test_too_little_memory_names_what_to_lower(tmp_path: Path):
    from tests.support.stripes_set import write_set

    words = [sys.executable, "-c", TOO_MUCH, str(write_set(tmp_path / "flags")), str(tmp_path / "run")]
    ended = subprocess.run(words, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert "32 squares of 256 pixels" in ended.stdout, ended.stderr[-600:]
    assert "--accumulate 2" in ended.stdout and "--recompute" in ended.stdout
