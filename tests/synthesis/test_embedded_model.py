# SPDX-License-Identifier: Apache-2.0
"""What the landscape model that ships with the product promises to everybody who presses Generate."""

from __future__ import annotations

import numpy as np
import pytest

from spade_core.checkpoint.sources import model_file
from spade_core.contract.labels import load_label_set
from spade_core.synthesis.synthesizer import Synthesizer

LANDSCAPE = load_label_set("landscape")
SIDE = 160
VISIBLE_FRAME = 2.5
LEAST_STEP = 0.1  # of 255: on a picture smoother than this, what is weaker is no frame to anybody
LARGE = 512
VISIBLE_GRID = 1.0  # of 255, on what is smooth


@pytest.fixture(scope="module")
def model() -> Synthesizer:
    return Synthesizer.load("landscape", "cpu")


def uniform(name: str, side: int = SIDE) -> np.ndarray:
    return np.full((side, side), LANDSCAPE.match(name).id, np.uint8)


@pytest.fixture(scope="module")
def pictures(model: Synthesizer) -> list[np.ndarray]:
    """Of one class each: what changes at their border is no border of the label map."""
    classes = ("sky", "grass", "water", "tree", "mountain")
    return [model.render(uniform(name), seed=seed) for name in classes for seed in (0, 1)]


def frame_contrast(pictures: list[np.ndarray]) -> float:
    """How far the outermost strips of two pixels are from the next, where the steps between inner strips are 1.

    It is taken on each of the four sides, and averaged over the pictures: about 1 where there is no frame.
    """
    steps = []
    for side in (np.rot90(rgb, turns) for rgb in pictures for turns in range(4)):
        strips = side[:32].astype(float).reshape(16, 2, SIDE, 3).mean(axis=(1, 2))
        steps.append(np.abs(np.diff(strips, axis=0)).mean(axis=1))
    outermost, inner = np.mean(steps, axis=0)[0], np.mean(steps, axis=0)[4:].mean()
    return float(outermost / max(inner, LEAST_STEP))


def test_a_picture_has_no_frame(pictures: list[np.ndarray]):
    assert frame_contrast(pictures) < VISIBLE_FRAME


def test_a_faint_frame_would_be_noticed(pictures: list[np.ndarray]):
    framed = []
    for rgb in pictures:
        rgb = rgb.astype(int)
        inside = rgb[2:-2, 2:-2].copy()
        rgb += 6  # of 255: seen at once on a sky, hardly in foliage
        rgb[2:-2, 2:-2] = inside
        framed.append(rgb)
    assert frame_contrast(framed) > VISIBLE_FRAME


@pytest.fixture(scope="module")
def large(model: Synthesizer) -> dict[str, np.ndarray]:
    return {name: model.render(uniform(name, LARGE), seed=0) for name in ("sky", "water", "sand", "grass")}


def grid_strength(rgb: np.ndarray) -> float:
    """How far, of 255, rows or columns 4, 8, 16 or 32 apart are alike: the traces of upsampling. Standard deviation."""
    grey, found = rgb.astype(float).mean(axis=2), []
    for lines in (grey, grey.T):
        profile = lines.mean(axis=0)
        found += [profile.reshape(-1, period).mean(axis=0).std() for period in (4, 8, 16, 32)]
    return float(max(found))


def test_no_grid_shows_in_a_sky_of_512(large: dict[str, np.ndarray]):
    assert grid_strength(large["sky"]) < VISIBLE_GRID


def test_a_faint_grid_would_be_noticed(large: dict[str, np.ndarray]):
    gridded = large["sky"].astype(int)
    gridded[::8] += 4
    assert grid_strength(gridded) > VISIBLE_GRID


def test_what_repeats_in_a_texture_is_far_weaker_than_the_texture(large: dict[str, np.ndarray]):
    for name in ("grass", "sand", "water"):
        assert grid_strength(large[name]) < 0.15 * large[name].astype(float).mean(axis=2).std()


def test_winter_comes_where_grass_turns_to_snow(model: Synthesizer):
    summer = uniform("sky")
    summer[SIDE // 2 :] = LANDSCAPE.match("grass").id
    winter = np.where(summer == LANDSCAPE.match("grass").id, LANDSCAPE.match("snow").id, summer)
    for seed in range(3):
        grass, snow = (
            model.render(ids, seed=seed)[SIDE // 2 + 16 :].astype(int)
            for ids in (summer, winter.astype(np.uint8))
        )
        assert snow.mean() > grass.mean() + 40
        assert np.ptp(snow.mean(axis=(0, 1))) < 60  # white or bluish, and not green


def test_it_is_small_enough_to_ship(model: Synthesizer):
    assert model_file("landscape").stat().st_size <= 16_000_000
