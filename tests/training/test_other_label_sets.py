# SPDX-License-Identifier: Apache-2.0
"""A label set that changes between two trainings: noticed where channels would go by position, followed by name."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from spade_core.checkpoint.file import load_checkpoint
from spade_core.checkpoint.names import models_of, states_of
from spade_core.training.__main__ import main
from tests.support.stripes_set import write_set
from tests.training.test_train_command import SMALL


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return write_set(tmp_path / "photos")


def train(photos: Path, run: Path, *more: object, images: int = 4) -> int:
    words = ["--data", photos, "-o", run, "--images", images, *SMALL, *more]
    return main([str(word) for word in words])


def swap_first_two(photos: Path) -> tuple[str, str]:
    """The names of the first two classes change places; returns them."""
    file = photos / "label_set.toml"
    text = file.read_text()
    first, second = [line.split('"')[1] for line in text.splitlines() if line.strip().startswith("name =")][
        1:3
    ]
    swapped = text.replace(f'"{first}"', "@").replace(f'"{second}"', f'"{first}"').replace("@", f'"{second}"')
    file.write_text(swapped)
    return first, second


def label_planes(file: Path) -> torch.Tensor:
    """What the first label convolution knows of each label channel."""
    weights = load_checkpoint(file).generator_weights
    return next(value for key, value in weights.items() if key.endswith("mlp_shared.0.weight")).float()


def test_a_run_does_not_go_on_with_a_changed_label_set(photos: Path, tmp_path: Path, capsys):
    assert train(photos, tmp_path / "run") == 0
    first, second = swap_first_two(photos)
    assert train(photos, tmp_path / "run", images=8) == 2
    said = capsys.readouterr().err
    assert first in said and second in said and "--from" in said
    assert len(states_of(tmp_path / "run")) == 1


@pytest.mark.parametrize("of", ["state", "model", "folder"])
def test_a_new_run_takes_classes_by_their_names_from_state_model_and_folder(photos, tmp_path, of):
    run = tmp_path / "run"
    assert train(photos, run) == 0
    source = {"state": states_of(run)[-1], "model": models_of(run)[-1], "folder": run}[of]
    before = label_planes(models_of(run)[-1])
    swap_first_two(photos)
    rates = ("--generator-lr", "1e-12", "--discriminator-lr", "1e-12", "--ema-decay", "0")
    assert train(photos, tmp_path / "new", "--from", source, *rates) == 0
    after = label_planes(models_of(tmp_path / "new")[-1])
    assert torch.allclose(after[:, 0], before[:, 1], atol=1e-3) and torch.allclose(
        after[:, 1], before[:, 0], atol=1e-3
    )
    assert torch.allclose(after[:, 2:], before[:, 2:], atol=1e-3)


def test_a_class_more_begins_as_the_mean_of_what_is_known(photos: Path, tmp_path: Path):
    run = tmp_path / "run"
    assert train(photos, run) == 0
    before = label_planes(models_of(run)[-1])
    file = photos / "label_set.toml"
    file.write_text(file.read_text() + '\n[[classes]]\nid = 40\nname = "lava"\ncolor = "#FF0102"\n')
    assert train(photos, tmp_path / "new", "--from", states_of(run)[-1], "--generator-lr", "1e-12") == 0
    assert label_planes(models_of(tmp_path / "new")[-1]).shape[1] == before.shape[1] + 1


def test_an_embedded_model_is_named_and_what_is_no_model_is_said(photos: Path, tmp_path: Path, capsys):
    assert train(photos, tmp_path / "run", "--from", "nothere") == 2
    assert "landscape" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert train(photos, tmp_path / "run", "--from", tmp_path / "empty") == 2
    assert "holds no model" in capsys.readouterr().err


def test_what_is_going_to_be_trained_is_said_before(photos: Path, tmp_path: Path, capfd):
    (photos / "images" / "p01.png").rename(photos / "images" / "alone.png")
    assert train(photos, tmp_path / "run") == 0
    said = capfd.readouterr().out
    assert "Data: 17 photos with label maps, laid out as 'folder'; 6 held out." in said
    assert "1 photos without a label map, 1 label maps without a photo" in said
    assert "Labels: 'flags', 3 classes, by label_set.toml beside the data." in said
    for name in ("heaven", "meadow", "shore"):
        assert f"{name} " in said.split("Classes, in")[1]
    assert "label channels (own)" in said and "Begins" not in said
    words = ["--data", photos, "-o", tmp_path / "more", "--from", "landscape", "--images", "4", *SMALL[10:]]
    assert main([str(word) for word in words]) == 0
    said = capfd.readouterr().out
    assert "Begins with the generator and encoder of landscape.safetensors." in said
    assert "heaven from sky, meadow from grass" in said


def test_data_without_a_label_set_are_said_to_be_read_as_the_landscapes(photos: Path, tmp_path: Path, capfd):
    (photos / "label_set.toml").unlink()
    assert train(photos, tmp_path / "run") == 0
    assert "for want of a label_set.toml" in capfd.readouterr().out
