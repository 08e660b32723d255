# SPDX-License-Identifier: Apache-2.0
"""What the landscape model that ships with the product promises to everybody who presses Generate."""

from __future__ import annotations

import numpy as np
import pytest

from spade_core.contract.labels import load_label_set
from spade_core.synthesis.synthesizer import Synthesizer, model_file

LANDSCAPE = load_label_set("landscape")
SIDE = 160
VISIBLE_FRAME = 2.5
LEAST_STEP = 0.1  # of 255: on a picture smoother than this, what is weaker is no frame to anybody
LARGE = 512
VISIBLE_GRID = 1.5


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
def large(model: Synthesizer) -> list[np.ndarray]:
    return [model.render(uniform(name, LARGE), seed=0) for name in ("sky", "water", "sand", "grass")]


def grid_contrast(pictures: list[np.ndarray]) -> float:
    """The strongest of the waves of 4, 8, 16 and 32 pixels, in which upsampling would show, beside its neighbours.

    About 1 where there is no grid.
    """
    spectra = []
    for rgb in pictures:
        grey = rgb.astype(float).mean(axis=2)
        for lines in (grey, grey.T):
            waves = np.abs(np.fft.rfft((lines - lines.mean(axis=1, keepdims=True)) * np.hanning(LARGE))) ** 2
            spectra.append(waves.mean(axis=0) / waves.mean())
    spectrum = np.mean(spectra, axis=0)
    found = []
    for wave in (LARGE // 4, LARGE // 8, LARGE // 16, LARGE // 32):
        beside = np.r_[spectrum[max(wave - 7, 3) : wave - 2], spectrum[wave + 3 : wave + 8]]
        found.append(spectrum[wave] / np.median(beside))
    return float(max(found))


def test_no_grid_shows_at_512(large: list[np.ndarray]):
    assert grid_contrast(large) < VISIBLE_GRID


def test_a_faint_grid_would_be_noticed(large: list[np.ndarray]):
    gridded = [rgb.astype(int) for rgb in large]
    for rgb in gridded:
        rgb[::8] += 4
        rgb[:, ::8] += 4
    assert grid_contrast(gridded) > VISIBLE_GRID


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
