# SPDX-License-Identifier: Apache-2.0
"""The trainer on a small set it can finish in seconds: real steps, real features, real files."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from spade_core.checkpoint.file import load_checkpoint
from spade_core.contract.errors import (
    BadCheckpointError,
    BadImageError,
    BadLabelError,
    BadOptionError,
    InternalError,
)
from spade_core.contract.labels import load_label_set
from spade_core.data.crops import CropSampler, training_crop
from spade_core.data.layouts.layouts import find_pairs
from spade_core.data.pairs import read_pair
from spade_core.data.placement import CropRule
from spade_core.features.efficientnet_lite import LITE0_TAP_WIDTHS, FrozenPyramid
from spade_core.model.discriminators.patchgan import MultiscaleConfig
from spade_core.model.discriminators.segmentation import SegmentationConfig
from spade_core.model.spade import GeneratorConfig
from spade_core.pixels import to_network
from spade_core.synthesis.synthesizer import Synthesizer
from spade_core.training.__main__ import STOPPED
from spade_core.training.augment import DiffAugment
from spade_core.training.config import TrainingConfig
from spade_core.training.presets import FROZEN, OASIS, PAPER, PAPER_STYLE, PIX2PIXHD
from spade_core.training.recipe import Recipe
from spade_core.training.run import Run
from spade_core.training.state import load_state

SKY, GRASS = 0, 6


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Blue above green, with a horizon that moves."""
    folder = tmp_path_factory.mktemp("data")
    random = np.random.default_rng(0)
    (folder / "images").mkdir()
    (folder / "labels").mkdir()
    rows = ["name,split"]
    for index in range(8):
        ids = np.where(np.arange(96)[:, None] < random.integers(30, 60), SKY, GRASS) * np.ones(96, int)
        rgb = np.where((ids == SKY)[..., None], (120, 170, 230), (60, 120, 40)) + random.integers(
            -9, 9, (96, 96, 3)
        )
        Image.fromarray(rgb.astype(np.uint8)).save(folder / "images" / f"p{index}.png")
        Image.fromarray(ids.astype(np.uint8)).save(folder / "labels" / f"p{index}.png")
        rows.append(f"p{index},{'val' if index > 5 else 'train'}")
    (folder / "index.csv").write_text("\n".join(rows))
    return folder


def tiny(recipe: Recipe) -> Recipe:
    """The recipe with networks that a processor trains in a moment."""
    generator = replace(recipe.generator, base_width=4)
    if isinstance(generator, GeneratorConfig):
        generator = replace(generator, max_width=16, spade_hidden=8, style_size=min(generator.style_size, 4))
    discriminator = recipe.discriminator
    if isinstance(discriminator, MultiscaleConfig | SegmentationConfig):
        discriminator = replace(discriminator, base_width=8)
    encoder = recipe.encoder and replace(recipe.encoder, base_width=4)
    return replace(
        recipe, generator=generator, discriminator=discriminator, encoder=encoder,
        crops=replace(recipe.crops, size=64, batch=2), losses=replace(recipe.losses, perceptual="taps"),
    )  # fmt: skip


@pytest.fixture
def config(photos: Path, tmp_path: Path) -> TrainingConfig:
    recipe = tiny(FROZEN)
    recipe = replace(recipe, losses=replace(recipe.losses, warmup=2, ramp=2))
    return TrainingConfig(
        photos, tmp_path / "run", images=8, recipe=recipe, save_every=100, workers=0, device="cpu", bf16=False,
        threads=1,
    )  # fmt: skip


def quiet(seen: int, losses: dict[str, float], rate: float) -> None:
    pass


def test_a_run_leaves_a_model_that_can_be_served_samples_and_curves(config: TrainingConfig):
    told = []
    Run.open(config).train(lambda seen, losses, rate: told.append((seen, losses)))
    assert [seen for seen, _ in told] == [2, 4, 6, 8]
    assert all(math.isfinite(value) for _, losses in told for value in losses.values())
    model = Synthesizer.load(config.output / "model_00000008.safetensors", "cpu")
    assert model.render(np.zeros((64, 64), np.uint8)).shape == (64, 64, 3)
    assert model.encode_style(np.zeros((64, 64, 3), np.uint8)).shape == (4,)
    styles = load_checkpoint(config.output / "model_00000008.safetensors").styles
    assert styles is not None and len(styles.codes) > 0  # seeds draw the light of the photos trained on
    # labels | in the photo's style | photo | two other styles, of both held-out photos
    with Image.open(config.output / "samples" / "00000008_64.png") as grid:
        assert grid.size == (5 * 64, 2 * 64)
    assert list((config.output / "tensorboard").glob("events.*"))
    assert len((config.output / "curves.csv").read_text().splitlines()) == 4


def test_a_continued_run_ends_with_the_weights_of_an_uninterrupted_one(config: TrainingConfig):
    whole = Run.open(config)
    whole.train(quiet)
    halved = replace(config, output=config.output.with_name("halved"))
    Run.open(replace(halved, images=4)).train(quiet)
    torch.manual_seed(99)  # what happens between the two halves must not matter
    continued = Run.open(halved)
    assert continued.trainer.images_seen == 4
    continued.train(quiet)
    ours, theirs = (run.trainer.networks.ema for run in (continued, whole))
    for name, value in theirs.generator.state_dict().items():
        assert torch.equal(ours.generator.state_dict()[name], value), name
    for name, value in theirs.encoder.state_dict().items():
        assert torch.equal(ours.encoder.state_dict()[name], value), name


def test_a_stopped_run_finishes_its_step_and_goes_on_with_the_same_curve(config: TrainingConfig):
    wanted: list[dict[str, float]] = []
    Run.open(replace(config, output=config.output.with_name("whole"))).train(
        lambda seen, losses, rate: wanted.append(losses)
    )
    found: list[dict[str, float]] = []
    stopped = Run.open(config)

    def stop_after_two(seen: int, losses: dict[str, float], rate: float) -> None:
        found.append(losses)
        if len(found) == 2:
            stopped.stop()

    stopped.train(stop_after_two)
    assert len(found) == 2
    Run.open(config).train(lambda seen, losses, rate: found.append(losses))
    assert found == wanted


def test_a_run_told_to_terminate_saves_and_leaves(photos: Path, tmp_path: Path):
    small = "--size 64 --batch 2 --generator.base-width 4 --generator.max-width 8 --no-bf16 --threads 1 --device cpu"
    command = [
        sys.executable,
        "-m",
        "spade_core.training",
        "--data",
        photos,
        "--output",
        tmp_path,
        *small.split(),
    ]
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=Path(__file__).parents[2])
    while not (tmp_path / "curves.csv").exists():
        assert run.poll() is None
        time.sleep(0.1)
    run.terminate()
    assert run.wait() == STOPPED
    steps = len((tmp_path / "curves.csv").read_text().splitlines())
    assert load_state(tmp_path / f"state_{2 * steps:08}.pt")["step"] == steps


def test_a_run_with_another_batch_goes_on_with_the_photos_it_has_seen(config: TrainingConfig):
    Run.open(replace(config, save_every=2)).train(quiet)
    larger = replace(config.recipe, crops=replace(config.recipe.crops, batch=4))
    continued = Run.open(replace(config, recipe=larger, images=16))
    assert (continued.trainer.images_seen, continued.trainer.step) == (8, 4)
    seen: list[int] = []
    continued.train(lambda photos, losses, rate: seen.append(photos))
    assert seen == [12, 16]
    assert sorted(file.name for file in config.output.glob("state_*")) == [
        "state_00000008.pt", "state_00000016.pt"
    ]  # fmt: skip


def test_rates_fall_to_zero_over_the_last_part_of_a_run(config: TrainingConfig):
    recipe = replace(config.recipe, optimizer=replace(config.recipe.optimizer, decay_from=0.5))
    run = Run.open(replace(config, recipe=recipe))
    rates: list[float] = []
    run.train(
        lambda seen, losses, rate: rates.append(run.trainer.generator_optimizer.param_groups[0]["lr"] / 2e-4)
    )
    assert rates == pytest.approx(
        [1, 1, 1, 0.5]
    )  # of 8 photos, two a step: before 0, 2, 4 and 6 of them were seen
    assert run.trainer.lr_scale == 0


def test_a_continued_run_takes_the_rates_it_is_given(config: TrainingConfig):
    Run.open(replace(config, images=2)).train(quiet)
    slower = replace(config.recipe, optimizer=replace(config.recipe.optimizer, generator_lr=1e-5))
    run = Run.open(replace(config, images=4, recipe=slower))
    run.train(quiet)
    assert run.trainer.generator_optimizer.param_groups[0]["lr"] == 1e-5


def test_a_state_from_before_photos_were_counted_goes_on(config: TrainingConfig):
    Run.open(replace(config, images=4)).train(quiet)
    path = config.output / "state_00000004.pt"
    older = load_state(path)
    for name in ("images_seen", "started_from", "tap_norms"):
        del older[name]
    torch.save(older, path)
    assert Run.open(config).trainer.images_seen == 4


def test_a_state_of_other_networks_is_refused_in_one_sentence(config: TrainingConfig):
    Run.open(replace(config, images=2)).train(quiet)
    wider = replace(config.recipe, generator=replace(config.recipe.generator, base_width=8))
    with pytest.raises(BadCheckpointError, match="another generator") as caught:
        Run.open(replace(config, recipe=wider))
    assert "--from" in caught.value.fix


def test_a_warm_start_records_every_run_it_stands_on(config: TrainingConfig):
    Run.open(replace(config, images=4)).train(quiet)
    model = config.output / "model_00000004.safetensors"
    second = replace(config, output=config.output.with_name("second"), start_from=model, images=2)
    Run.open(second).train(quiet)
    state = second.output / "state_00000002.pt"
    third = replace(config, output=config.output.with_name("third"), start_from=state, images=2)
    Run.open(third).train(quiet)
    origin = load_checkpoint(third.output / "model_00000002.safetensors").provenance["started_from"]
    assert (origin["file"], origin["images_seen"], len(origin["sha256"])) == (state.name, 2, 64)
    assert {"generator", "encoder", "discriminator"} <= set(origin["kept"])
    before = origin["started_from"]
    assert (before["file"], before["images_seen"], before["kept"]) == (
        model.name,
        4,
        ["generator", "encoder"],
    )
    assert before["started_from"] is None


def test_a_warm_start_from_a_model_paints_what_the_model_paints(config: TrainingConfig):
    Run.open(replace(config, images=4)).train(quiet)
    model = config.output / "model_00000004.safetensors"
    started = Run.open(replace(config, output=config.output.with_name("second"), start_from=model)).trainer
    held, fresh = load_checkpoint(model).build_generator(), started.networks.ema.generator
    labels = torch.eye(18)[torch.randint(18, (1, 64, 64))].permute(0, 3, 1, 2)
    style, noise = torch.zeros(1, 4), held.draw_noise(1, 64, 64)
    with torch.no_grad():
        difference = held(labels, style, noise) - fresh(labels, style, noise)
    # The spectral norms of a network this young are not yet exact; untrained networks differ by ten times as much.
    assert float(difference.abs().mean()) < 0.03


def test_squares_that_a_network_cannot_paint_are_refused(config: TrainingConfig):
    odd = replace(config.recipe, crops=replace(config.recipe.crops, size=72))
    with pytest.raises(BadOptionError, match="72") as caught:
        Run.open(replace(config, recipe=odd))
    assert "multiple of 32" in caught.value.fix


PRESETS_IN_SMALL = {
    "paper": PAPER, "paper-style": PAPER_STYLE, "oasis": OASIS, "pix2pixhd": PIX2PIXHD
}  # fmt: skip


@pytest.mark.parametrize("preset", PRESETS_IN_SMALL)
def test_every_recipe_trains_and_leaves_a_model(config: TrainingConfig, preset: str):
    told: list[dict[str, float]] = []
    small = replace(config, recipe=tiny(PRESETS_IN_SMALL[preset]), images=4)
    Run.open(small).train(lambda seen, losses, rate: told.append(losses))
    assert all(math.isfinite(value) for losses in told for value in losses.values())
    assert any(name.startswith("g_") for name in told[0]) and any(name.startswith("d_") for name in told[0])
    model = Synthesizer.load(small.output / "model_00000004.safetensors", "cpu")
    assert model.render(np.zeros((64, 64), np.uint8)).shape == (64, 64, 3)


def test_pictures_come_nearer_to_their_photos_as_training_goes_on(config: TrainingConfig):
    distances: list[float] = []
    recipe = config.recipe
    losses = replace(recipe.losses, warmup=1000, random_styles=0.0, perceptual_end=10.0)
    recipe = replace(recipe, losses=losses, optimizer=replace(recipe.optimizer, generator_lr=3e-3))
    learning = replace(config, images=100, recipe=recipe)
    Run.open(learning).train(lambda seen, losses, rate: distances.append(losses["perceptual"]))
    assert np.mean(distances[-10:]) < 0.8 * np.mean(distances[:10])


def test_a_loss_that_is_no_number_stops_the_run_and_is_named(config: TrainingConfig):
    run = Run.open(config)
    assert run.trainer.networks.encoder is not None
    with torch.no_grad():
        run.trainer.networks.encoder.fc_mu.bias.fill_(float("nan"))
    with pytest.raises(InternalError, match="The loss .* is no longer a number"):
        run.train(quiet)


def test_a_damaged_state_is_named_and_the_fix_is_to_delete_it(config: TrainingConfig):
    config.output.mkdir()
    (config.output / "state_00000004.pt").write_bytes(b"half a file")
    with pytest.raises(BadCheckpointError) as caught:
        Run.open(config)
    assert "state_00000004.pt" in caught.value.message and "Delete it" in caught.value.fix


def test_the_frozen_features_never_change_and_let_gradients_through():
    pyramid = FrozenPyramid()
    assert not list(pyramid.parameters())
    image = torch.zeros(1, 3, 64, 64, requires_grad=True)
    taps = pyramid(image)
    assert [tap.shape[1:] for tap in taps] == [
        (width, 64 >> (index + 1), 64 >> (index + 1)) for index, width in enumerate(LITE0_TAP_WIDTHS)
    ]
    taps[-1].sum().backward()
    assert image.grad is not None and image.grad.abs().sum() > 0


def test_labels_move_with_their_photo_under_augmentation():
    torch.manual_seed(0)
    labels = torch.zeros(2, 64, 64, dtype=torch.long)
    labels[:, 20:30, 20:30] = 3
    photo = labels[:, None].float().repeat(1, 3, 1, 1) / 3
    augment = DiffAugment(2, 64, 64)
    moved = augment.image(photo)
    inside = augment.labels(labels) == 3
    for index in range(2):
        assert moved[index, 0][inside[index]].min() > moved[index, 0][~inside[index]].max()


def test_a_batch_depends_on_its_index_alone(photos: Path):
    label_set = load_label_set("landscape")

    def make() -> CropSampler:
        return CropSampler(find_pairs(photos, "train"), label_set, CropRule(64), 2, seed=3)

    walked = make()
    for index in range(5):
        walked[index]
    ours, theirs = walked[5], make()[5]
    assert torch.equal(ours.rgb, theirs.rgb) and torch.equal(ours.channels, theirs.channels)


def test_an_epoch_shows_every_photo_once(photos: Path):
    pairs = find_pairs(photos, "train")
    sampler = CropSampler(pairs, load_label_set("landscape"), CropRule(64), len(pairs), seed=3)
    sampler[0]
    assert sampler.cached == len(pairs)


def test_photo_and_labels_are_cut_from_the_same_place():
    ids = np.tile(np.arange(96, dtype=np.uint8) // 12, (96, 1))
    photo = Image.fromarray(np.repeat(ids[..., None] * 30, 3, axis=2))
    for seed in range(10):
        rgb, cut = training_crop(photo, Image.fromarray(ids), CropRule(48), np.random.default_rng(seed))
        assert np.abs(rgb[..., 0].astype(float) / 30 - cut).mean() < 0.2


def test_a_folder_without_pairs_says_how_to_lay_it_out(tmp_path: Path):
    with pytest.raises(BadImageError, match=r"images/"):
        find_pairs(tmp_path, "train")


def test_a_label_map_with_ids_outside_the_set_is_refused(tmp_path: Path):
    for folder, value in (("images", 3), ("labels", 200)):
        (tmp_path / folder).mkdir()
        Image.fromarray(np.full((40, 40), value, np.uint8)).save(tmp_path / folder / "a.png")
    with pytest.raises(BadLabelError, match="200"):
        read_pair(find_pairs(tmp_path, None)[0], load_label_set("landscape"))


def test_a_truncated_photo_is_named(photos: Path, tmp_path: Path):
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
        data = (photos / folder / "p0.png").read_bytes()
        (tmp_path / folder / "p0.png").write_bytes(data if folder == "labels" else data[:200])
    with pytest.raises(BadImageError, match="p0"):
        read_pair(find_pairs(tmp_path, None)[0], load_label_set("landscape"))


def test_style_codes_differ_from_photo_to_photo_before_the_first_step(config: TrainingConfig):
    run = Run.open(config)
    photos = torch.cat([to_network(run.crops[index].rgb, torch.device("cpu")) for index in range(16)])
    encoder = run.trainer.networks.encoder
    assert encoder is not None
    with torch.no_grad():
        mean, log_variance = encoder(photos)
    assert 0.7 < float(mean.std(0).mean()) < 1.3 and float(mean.mean(0).abs().max()) < 0.5
    assert float(log_variance.max()) < -2  # a draw stays near its mean


def test_looking_at_samples_changes_no_random_number_of_the_training(config: TrainingConfig):
    run = Run.open(config)
    run.save()
    before = torch.get_rng_state()
    run.save()
    assert torch.equal(torch.get_rng_state(), before)
