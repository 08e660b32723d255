# SPDX-License-Identifier: Apache-2.0
"""Our own segmenter, trained here on three colours in a few seconds."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from spade_core.contract.errors import (
    BadCheckpointError,
    BadImageError,
    BadOptionError,
    CannotWriteError,
    LabelSetMismatchError,
)
from spade_core.contract.labels import load_label_set
from spade_core.evaluation.build import load_segmenter
from spade_core.evaluation.own_segmenter import SegmenterFile
from spade_core.evaluation.segmenter_settings import SegmenterTraining
from spade_core.evaluation.segmenter_training import SegmenterRun
from tests.support.small_data import save
from tests.support.small_disk import assert_told_full, command, grown, small_disk

LANDSCAPE = load_label_set("landscape")
CPU = torch.device("cpu")
SKY, GRASS, SAND = 0, 6, 10
COLORS = {SKY: (120, 170, 230), GRASS: (60, 120, 40), SAND: (220, 200, 140)}
QUICK = SegmenterTraining(crops=24, passes=12, size=64, batch=8, rate=1e-2, width=16)


def photo_of(ids: np.ndarray, random: np.random.Generator) -> np.ndarray:
    rgb = np.zeros((*ids.shape, 3))
    for id, color in COLORS.items():
        rgb[ids == id] = color
    return (rgb + random.normal(0, 6, rgb.shape)).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def colored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sky over grass over sand; borders at other heights in each photo; a corner without a class."""
    root, random = tmp_path_factory.mktemp("colored"), np.random.default_rng(0)
    rows = ["name,split"]
    for index in range(16):
        first, second = sorted(random.choice(range(16, 112), 2, replace=False))
        height = np.repeat(np.arange(128)[:, None], 128, axis=1)
        ids = np.select([height < first, height < second], [SKY, GRASS], SAND).astype(np.uint8)
        save(root / "images" / f"p{index}.png", photo_of(ids, random))
        ids[:8, :8] = 255
        save(root / "labels" / f"p{index}.png", ids)
        rows.append(f"p{index},{'val' if index > 11 else 'train'}")
    (root / "index.csv").write_text("\n".join(rows))
    return root


@pytest.fixture(scope="module")
def trained(colored: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("segmenter") / "colors.safetensors"
    run(colored, path).train(quiet)
    return path


def run(data: Path, output: Path, training: SegmenterTraining = QUICK) -> SegmenterRun:
    return SegmenterRun(data, LANDSCAPE, output, training, CPU)


def quiet(stage: str, done: int, of: int) -> None:
    pass


def test_a_segmenter_learns_to_tell_classes_and_keeps_how_well(trained: Path):
    held_out = SegmenterFile.load(trained).provenance["held_out"]
    assert held_out["miou"] > 0.8 and held_out["photos"] == 4
    assert not trained.with_name(trained.name + ".work").exists()


def test_it_sees_pictures_of_any_size(trained: Path):
    segmenter = load_segmenter(trained, LANDSCAPE, CPU)
    ids = np.where(np.arange(96)[:, None] < 48, SKY, GRASS) * np.ones(160, int)
    seen = segmenter.predict([photo_of(ids, np.random.default_rng(1))] * 2)
    assert seen.shape == (2, 96, 160)
    assert (seen[0] == ids).mean() > 0.9  # in 'landscape' a class's place is its id


def test_a_stopped_training_goes_on_and_ends_with_the_same_segmenter(
    colored: Path, trained: Path, tmp_path: Path
):
    def stop_at(stage_to_stop: str, step: int):
        def report(stage: str, done: int, of: int) -> None:
            if stage == stage_to_stop and done >= step:
                raise KeyboardInterrupt

        return report

    path = tmp_path / "colors.safetensors"
    for where in (("looking at photos", 16), ("learning", 10)):
        with pytest.raises(KeyboardInterrupt):
            run(colored, path).train(stop_at(*where))
        assert not path.exists()
    continued = run(colored, path)
    assert (continued.cache.filled, continued.step) == (24, 10)
    continued.train(quiet)
    whole, halves = (SegmenterFile.load(each).weights for each in (trained, path))
    for name, value in whole.items():
        torch.testing.assert_close(halves[name], value, rtol=1e-3, atol=1e-4)


def test_a_beginning_with_other_settings_is_not_gone_on_from(colored: Path, tmp_path: Path):
    run(colored, tmp_path / "s.safetensors").cache.fill(CPU, quiet)
    with pytest.raises(BadCheckpointError, match="other settings"):
        run(colored, tmp_path / "s.safetensors", replace(QUICK, seed=2))


def test_a_beginning_that_was_killed_at_once_is_known_by_its_settings_too(colored: Path, tmp_path: Path):
    run(colored, tmp_path / "s.safetensors")  # no crop was looked at
    with pytest.raises(BadCheckpointError, match="other settings"):
        run(colored, tmp_path / "s.safetensors", replace(QUICK, crops=48))


# No room for the features, or none for the segmenter; the number of crops goes by its old name too.
@pytest.mark.parametrize(("kilobytes", "option"), [(300, "--squares"), (1100, "--crops")])
def test_a_full_disk_is_told_and_with_more_room_the_same_command_goes_on(
    colored, tmp_path, kilobytes, option
):
    words = [option, 32, "--passes", 1, "--size", 64, "--batch", 8, "--width", 96]
    with small_disk(tmp_path / "disk", kilobytes) as disk:
        words = ["train-segmenter", "--data", colored, "-o", disk / "s.safetensors", *words]
        assert_told_full(command(*words))
        assert not (disk / "s.safetensors").exists()
        grown(disk, 20_000)
        assert command(*words).returncode == 0
        assert [file.name for file in disk.iterdir()] == ["s.safetensors"]


def test_a_state_that_finds_no_room_is_told_and_the_one_before_stays(colored: Path, tmp_path: Path):
    with small_disk(tmp_path / "disk", 4000) as disk:
        begun = run(colored, disk / "s.safetensors")
        begun.save()
        before = (begun.work / "state.pt").read_bytes()
        (disk / "filler").write_bytes(bytes(shutil.disk_usage(disk).free - 4096))
        with pytest.raises(CannotWriteError, match="no space left"):
            begun.save()
        assert (begun.work / "state.pt").read_bytes() == before
        del begun


def test_without_splits_every_tenth_photo_is_held_out(colored: Path, tmp_path: Path):
    for index in range(16):
        for kind in ("images", "labels"):
            save(
                tmp_path / kind / f"p{index}.png",
                np.zeros((64, 64, 3) if kind == "images" else (64, 64), np.uint8),
            )
    made = run(tmp_path, tmp_path / "s.safetensors")
    learned, held_out = ({pair.name for pair in part.pairs} for part in (made.cache, made.held_out))
    assert len(learned) == 14 and len(held_out) == 2 and not learned & held_out


@pytest.mark.parametrize(
    "wrong", [{"size": 100}, {"crops": 0}, {"batch": -1}, {"rate": 0.0}, {"max_scale": 0.5}]
)
def test_settings_that_cannot_be_are_refused(wrong: dict):
    with pytest.raises(BadOptionError):
        replace(QUICK, **wrong)


def test_a_folder_without_pairs_is_refused(tmp_path: Path):
    with pytest.raises(BadImageError):
        run(tmp_path, tmp_path / "s.safetensors")


def test_a_place_that_cannot_be_written_is_told_before_the_work(colored: Path, tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CannotWriteError):
        run(colored, tmp_path / "file" / "s.safetensors")


def test_a_segmenter_of_another_label_set_is_refused(trained: Path):
    with pytest.raises(LabelSetMismatchError, match="landscape.*ade20k"):
        load_segmenter(trained, load_label_set("ade20k"), CPU)


@pytest.mark.parametrize("content", [b"", b"x" * 200, b"\x02\0\0\0\0\0\0\0{}"])
def test_what_is_no_segmenter_is_refused(tmp_path: Path, content: bytes):
    (tmp_path / "s.safetensors").write_bytes(content)
    with pytest.raises(BadCheckpointError, match="s.safetensors"):
        load_segmenter(tmp_path / "s.safetensors", LANDSCAPE, CPU)


def test_weights_that_do_not_fit_their_description_are_refused(trained: Path, tmp_path: Path):
    file = SegmenterFile.load(trained)
    replace(file, config=replace(file.config, width=99)).save(tmp_path / "s.safetensors")
    with pytest.raises(BadCheckpointError, match="do not fit"):
        load_segmenter(tmp_path / "s.safetensors", LANDSCAPE, CPU)


def test_a_missing_segmenter_is_refused(tmp_path: Path):
    with pytest.raises(BadCheckpointError, match="no segmenter"):
        load_segmenter(tmp_path / "s.safetensors", LANDSCAPE, CPU)
