# SPDX-License-Identifier: Apache-2.0
"""What seeds and names draw from: codes of photographs, kept in the checkpoint's file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spade_core.checkpoint.file import load_checkpoint, save_checkpoint
from spade_core.checkpoint.style_bank import CANDIDATES, NamedStyle, StyleBank, layout, stood_for, thinned
from spade_core.contract.errors import BadCheckpointError
from tests.support.tiny import tiny_checkpoint

CHANNELS = 3
RANDOM = np.random.default_rng(2)
HALVES = np.repeat(np.array([0, 1]), 32)[:, None] * np.ones(48, np.int64)
"""(64, 48): class 0 above, class 1 below."""


@pytest.fixture(scope="module")
def bank() -> StyleBank:
    """100 codes around (5, -3, ...), a quarter of which are of maps like HALVES."""
    codes = RANDOM.normal((5, -3, 0, 1, 2, 3), (1, 0.3, 2, 1, 1, 1), (100, 6)).astype(np.float32)
    layouts = [layout(HALVES if index % 4 == 0 else np.full((64, 48), 2), CHANNELS) for index in range(100)]
    return StyleBank(codes, np.stack(layouts), np.ones(100, np.float32), codes.mean(0))


def test_the_same_seed_and_layout_give_the_same_code(bank: StyleBank):
    like = layout(HALVES, CHANNELS)
    assert np.array_equal(bank.drawn(7, like), bank.drawn(7, like))
    assert not np.array_equal(bank.drawn(7, like), bank.drawn(8, like))


def test_every_drawn_code_lies_within_the_range_of_the_photos(bank: StyleBank):
    drawn = np.stack([bank.drawn(seed) for seed in range(300)])
    assert (drawn >= bank.codes.min(0)).all() and (drawn <= bank.codes.max(0)).all()
    assert np.abs(drawn.mean(0) - bank.mean).max() < 0.5 and (drawn.std(0) > 0.7 * bank.codes.std(0)).all()


def test_seeds_that_reach_further_differ_more_and_stay_within_the_range(bank: StyleBank):
    further = replace(bank, reach=1.2)
    drawn, reached = (np.stack([each.drawn(seed) for seed in range(300)]) for each in (bank, further))
    assert (reached.std(0) > 1.1 * drawn.std(0)).all()
    assert (reached >= bank.codes.min(0)).all() and (reached <= bank.codes.max(0)).all()


def test_a_seed_draws_from_photos_that_are_laid_out_like_the_map(bank: StyleBank):
    alike = bank.codes[::4]
    for seed in range(30):
        code = bank.drawn(seed, layout(HALVES[::2], CHANNELS))
        nearest = np.abs(bank.codes - code).sum(1).argmin()
        assert (alike == bank.codes[nearest]).all(1).any()
    assert len(alike) > CANDIDATES


def test_a_hill_that_moves_a_little_seldom_changes_the_light(bank: StyleBank):
    layouts = RANDOM.integers(0, 255, bank.layouts.shape).astype(np.uint8)
    varied = StyleBank(bank.codes, layouts, bank.weights, bank.mean)
    like = layouts[0].astype(int)
    moved = (like + RANDOM.integers(-20, 20, like.shape)).clip(0, 255)
    same = [np.array_equal(varied.drawn(seed, like), varied.drawn(seed, moved)) for seed in range(100)]
    assert sum(same) > 60


def test_a_layout_says_how_much_of_each_cell_is_of_which_class():
    shares = layout(HALVES, CHANNELS).reshape(4, 4, CHANNELS)
    assert (shares[:2, :, 0] == 255).all() and (shares[2:, :, 1] == 255).all() and not shares[..., 2].any()


def test_thinned_codes_cover_the_range_of_all():
    crowd, far = RANDOM.normal(0, 0.05, (900, 2)), np.array([[4.0, 4.0], [-4.0, 3.0], [4.0, -4.0]])
    codes = np.concatenate([crowd, far]).astype(np.float32)
    kept = thinned(codes, 40)
    assert 20 <= len(kept) <= 40 and {900, 901, 902} <= set(kept.tolist())


def test_photos_that_are_all_alike_are_thinned_too():
    assert len(thinned(np.ones((60, 3), np.float32), 40)) == 40


def test_a_code_that_stands_for_many_photos_is_drawn_more_often(bank: StyleBank):
    weights = np.where(np.arange(100) < 5, 200.0, 1.0).astype(np.float32)
    often = StyleBank(bank.codes, bank.layouts, weights, bank.mean)
    nearest = [int(np.abs(bank.codes - often.drawn(seed)).sum(1).argmin()) for seed in range(200)]
    assert np.mean(np.array(nearest) < 5) > 0.8


def test_each_code_is_stood_for_by_the_nearest_that_is_kept():
    codes = np.array([[0.0, 0], [0.1, 0], [0.2, 0], [5, 5]], np.float32)
    assert stood_for(codes, np.array([1, 3])).tolist() == [3, 1]


def styled(path: Path) -> Path:
    picture = RANDOM.integers(0, 255, (20, 30, 3), np.uint8)
    checkpoint = tiny_checkpoint()
    codes = RANDOM.normal(1, 1, (15, 6)).astype(np.float32)
    layouts = np.zeros((15, 16 * checkpoint.label_channels.count), np.uint8)
    named = (NamedStyle("golden-hour", codes[3], picture), NamedStyle("night", codes[4], picture))
    save_checkpoint(
        path,
        replace(checkpoint, styles=StyleBank(codes, layouts, np.ones(15, np.float32), codes.mean(0), named)),
    )
    return path


def test_a_file_keeps_its_styles(tmp_path: Path):
    found = load_checkpoint(styled(tmp_path / "model.safetensors")).styles
    assert found is not None and found.codes.shape == (15, 6) and found.layouts.dtype == np.uint8
    assert [style.name for style in found.named] == ["golden-hour", "night"]
    assert found.named[0].thumbnail.shape == (20, 30, 3)
    assert np.abs(found.named[0].code - found.codes[3]).max() < 0.01
    assert found.find("Golden-Hour") is found.named[0] and found.find("noon") is None


def test_a_file_keeps_how_far_its_seeds_reach(tmp_path: Path):
    path = styled(tmp_path / "model.safetensors")
    checkpoint = load_checkpoint(path)
    assert checkpoint.styles is not None and checkpoint.styles.reach == 1.0
    save_checkpoint(path, replace(checkpoint, styles=replace(checkpoint.styles, reach=1.25)))
    found = load_checkpoint(path).styles
    assert found is not None and found.reach == 1.25


def test_a_file_without_styles_has_none(tmp_path: Path):
    save_checkpoint(tmp_path / "model.safetensors", tiny_checkpoint())
    assert load_checkpoint(tmp_path / "model.safetensors").styles is None


def test_a_file_with_half_of_its_styles_is_refused(tmp_path: Path):
    from safetensors import safe_open
    from safetensors.torch import save_file

    path = styled(tmp_path / "model.safetensors")
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys() if name != "styles.layouts"}
        metadata = file.metadata()
    save_file(tensors, path, metadata)
    with pytest.raises(BadCheckpointError):
        load_checkpoint(path)
