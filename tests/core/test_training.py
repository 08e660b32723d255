# SPDX-License-Identifier: Apache-2.0
"""The trainer on a small set it can finish in seconds: real steps, real features, real files."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from spade_core.contract.errors import BadCheckpoint, BadImage, BadLabel, Internal
from spade_core.contract.labels import load_label_set
from spade_core.data.folder import CropRule, TrainingSquares, find_pairs, read_pair, training_square
from spade_core.synthesis.synthesizer import Synthesizer
from spade_core.training.augment import DiffAugment
from spade_core.training.config import TrainingConfig
from spade_core.training.frozen_features import TAP_WIDTHS, FrozenPyramid
from spade_core.training.projected_discriminator import class_weights
from spade_core.training.run import Run

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


@pytest.fixture
def config(photos: Path, tmp_path: Path) -> TrainingConfig:
    return TrainingConfig(
        photos, tmp_path / "run", images=8, size=64, batch=2, base_width=4, max_width=16, spade_hidden=8,
        style_size=4, warmup=2, ramp=2, save_every=100, device="cpu", bf16=False,
    )  # fmt: skip


def quiet(seen: int, losses: dict[str, float], rate: float) -> None:
    pass


def test_a_run_leaves_a_model_that_can_be_served_samples_and_curves(config: TrainingConfig):
    told = []
    Run(config).train(lambda seen, losses, rate: told.append((seen, losses)))
    assert [seen for seen, _ in told] == [2, 4, 6, 8]
    assert all(math.isfinite(value) for _, losses in told for value in losses.values())
    model = Synthesizer.load(config.output / "model_00000008.safetensors", "cpu")
    assert model.render(np.zeros((64, 64), np.uint8)).shape == (64, 64, 3)
    assert model.encode_style(np.zeros((64, 64, 3), np.uint8)).shape == (4,)
    assert (config.output / "samples" / "00000008_64.png").exists()
    assert len((config.output / "curves.csv").read_text().splitlines()) == 4


def test_a_continued_run_ends_with_the_weights_of_an_uninterrupted_one(config: TrainingConfig):
    torch.set_num_threads(1)
    whole = Run(config)
    whole.train(quiet)
    halved = replace(config, output=config.output.with_name("halved"))
    Run(replace(halved, images=4)).train(quiet)
    torch.manual_seed(99)  # what happens between the two halves must not matter
    continued = Run(halved)
    assert continued.trainer.images_seen == 4
    continued.train(quiet)
    for name, value in whole.trainer.averaged.state_dict().items():
        assert torch.equal(value, continued.trainer.averaged.state_dict()[name]), name


def test_pictures_come_nearer_to_their_photos_as_training_goes_on(config: TrainingConfig):
    distances: list[float] = []
    learning = replace(
        config, images=160, generator_rate=3e-3, warmup=1000, random_styles=0.0, perceptual_end=10.0
    )  # fmt: skip
    Run(learning).train(lambda seen, losses, rate: distances.append(losses["perceptual"]))
    assert np.mean(distances[-10:]) < 0.8 * np.mean(distances[:10])


def test_a_loss_that_is_no_number_stops_the_run_and_is_named(config: TrainingConfig):
    run = Run(config)
    with torch.no_grad():
        run.trainer.encoder.fc_mu.bias.fill_(float("nan"))
    with pytest.raises(Internal, match="The loss .* is no longer a number"):
        run.train(quiet)


def test_a_damaged_state_is_named_and_the_fix_is_to_delete_it(config: TrainingConfig):
    config.output.mkdir()
    (config.output / "state_00000004.pt").write_bytes(b"half a file")
    with pytest.raises(BadCheckpoint) as caught:
        Run(config)
    assert "state_00000004.pt" in caught.value.message and "Delete it" in caught.value.fix


def test_the_frozen_features_never_change_and_let_gradients_through():
    pyramid = FrozenPyramid()
    assert not list(pyramid.parameters())
    image = torch.zeros(1, 3, 64, 64, requires_grad=True)
    taps = pyramid(image)
    assert [tap.shape[1:] for tap in taps] == [
        (width, 64 >> (index + 1), 64 >> (index + 1)) for index, width in enumerate(TAP_WIDTHS)
    ]
    taps[-1].sum().backward()
    assert image.grad is not None and image.grad.abs().sum() > 0


def test_labels_move_with_their_photo_under_augmentation():
    torch.manual_seed(0)
    labels = torch.zeros(2, 64, 64, dtype=torch.long)
    labels[:, 20:30, 20:30] = 3
    photo = labels[:, None].float().repeat(1, 3, 1, 1) / 3
    augment = DiffAugment(2, 64)
    moved = augment.image(photo)
    inside = augment.labels(labels) == 3
    for index in range(2):
        assert moved[index, 0][inside[index]].min() > moved[index, 0][~inside[index]].max()


def test_rare_classes_weigh_more_and_unlabelled_pixels_nothing():
    labels = torch.tensor([[[0, 0, 0, 1, 2, 2]]])
    weights = class_weights(labels, 3)
    assert weights[1] > weights[0] > 0 and weights[2] == 0


def test_a_batch_depends_on_its_index_alone(photos: Path):
    label_set = load_label_set("landscape")

    def make() -> TrainingSquares:
        return TrainingSquares(find_pairs(photos, "train"), label_set, CropRule(64), 2, seed=3)

    walked = make()
    for index in range(5):
        walked[index]
    for ours, theirs in zip(walked[5], make()[5], strict=True):
        assert np.array_equal(ours, theirs)


def test_an_epoch_shows_every_photo_once(photos: Path):
    pairs = find_pairs(photos, "train")
    squares = TrainingSquares(pairs, load_label_set("landscape"), CropRule(64), len(pairs), seed=3)
    squares[0]
    assert sorted(squares._decoded) == [pair.name for pair in pairs]


def test_photo_and_labels_are_cut_from_the_same_place():
    ids = np.tile(np.arange(96, dtype=np.uint8) // 12, (96, 1))
    photo = Image.fromarray(np.repeat(ids[..., None] * 30, 3, axis=2))
    for seed in range(10):
        rgb, cut = training_square(
            photo, Image.fromarray(ids), CropRule(48, simplify=0), np.random.default_rng(seed)
        )
        assert np.abs(rgb[..., 0].astype(float) / 30 - cut).mean() < 0.2


def test_a_folder_without_pairs_says_how_to_lay_it_out(tmp_path: Path):
    with pytest.raises(BadImage, match=r"images/"):
        find_pairs(tmp_path, "train")


def test_a_label_map_with_ids_outside_the_set_is_refused(tmp_path: Path):
    for folder, value in (("images", 3), ("labels", 200)):
        (tmp_path / folder).mkdir()
        Image.fromarray(np.full((40, 40), value, np.uint8)).save(tmp_path / folder / "a.png")
    with pytest.raises(BadLabel, match="200"):
        read_pair(find_pairs(tmp_path, None)[0], load_label_set("landscape"))


def test_a_truncated_photo_is_named(photos: Path, tmp_path: Path):
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
        data = (photos / folder / "p0.png").read_bytes()
        (tmp_path / folder / "p0.png").write_bytes(data if folder == "labels" else data[:200])
    with pytest.raises(BadImage, match="p0"):
        read_pair(find_pairs(tmp_path, None)[0], load_label_set("landscape"))
