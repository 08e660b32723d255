# SPDX-License-Identifier: Apache-2.0
"""Borders after enlarging, on pictures whose borders are known."""

from __future__ import annotations

import numpy as np
import pytest

from spade_core.contract.labels import load_label_set
from spade_core.upscaling import silhouettes
from spade_core.upscaling.outlines import outlined
from spade_core.upscaling.silhouettes import fitted

HEIGHT, WIDTH = 160, 192
DARK, LIGHT = 60.0, 200.0


def hills(shift: float = 0.0) -> np.ndarray:
    """(WIDTH,) rows of a border that returns where it began."""
    return 80 + shift + 20 * np.sin(np.arange(WIDTH) * 2 * np.pi / WIDTH * 3)


@pytest.fixture
def outlines() -> np.ndarray:
    return (np.arange(HEIGHT)[:, None] + 0.5 > hills()[None]).astype(np.int32)


def painted(shift: float) -> np.ndarray:
    """The hills as an enlarged painting shows them: `shift` pixels too low, soft over four, both sides with texture."""
    depth = (np.arange(HEIGHT)[:, None] + 0.5 - hills(shift)[None]) / 4
    luma = LIGHT + (DARK - LIGHT) * np.clip(depth + 0.5, 0, 1)
    texture = np.random.default_rng(1).normal(0, 4, luma.shape)
    return np.repeat((luma + texture).clip(0, 255).astype(np.uint8)[:, :, None], 3, 2)


def distances(rgb: np.ndarray) -> np.ndarray:
    """Of the first dark row of each column from the border, in pixels."""
    dark = rgb[:, :, 0] < (DARK + LIGHT) / 2
    return np.abs(dark.argmax(0) - hills())


def test_a_border_painted_beside_its_place_is_brought_there(outlines: np.ndarray):
    before = painted(2.5)
    assert distances(before).mean() > 2
    assert distances(fitted(before, outlines, 4)).mean() < 0.6


def test_a_border_is_neither_stairs_nor_soft(outlines: np.ndarray):
    column = fitted(painted(0), outlines, 4)[:, 8, 0].astype(float)
    between = (column > DARK + 30) & (column < LIGHT - 30)
    assert 1 <= between.sum() <= 3


def test_what_lies_far_from_borders_keeps_its_bytes(outlines: np.ndarray):
    before = painted(2.5)
    after = fitted(before, outlines, 4)
    changed = np.flatnonzero((before != after).any((1, 2)))
    assert changed.min() >= 60 - 11 and changed.max() <= 100 + 11
    assert (fitted(before, np.zeros_like(outlines), 4) == before).all()


def test_rows_are_fitted_alike_however_many_at_once(outlines: np.ndarray, monkeypatch: pytest.MonkeyPatch):
    whole = fitted(painted(2), outlines, 4)
    monkeypatch.setattr(silhouettes, "ROWS", 23)
    by_parts = fitted(painted(2), outlines, 4)
    assert np.abs(by_parts.astype(int) - whole).max() <= 1


def test_an_axis_that_goes_on_has_no_seam(outlines: np.ndarray):
    before = painted(2)
    rolled = fitted(np.roll(before, 50, 1), np.roll(outlines, 50, 1), 4, wrap=(False, True))
    assert (np.roll(rolled, -50, 1) == fitted(before, outlines, 4, wrap=(False, True))).all()


def test_a_cloud_has_no_outline_in_the_sky_and_fog_has_none_at_all():
    landscape = load_label_set("landscape")
    ids = {entry.name: entry.id for entry in landscape.classes}
    row = [ids["sky"], ids["cloud"], ids["mountain"], ids["fog"], ids["mountain"], landscape.ignore_id]
    sky, cloud, mountain, fog, again, anything = outlined(np.array([row]), landscape)[0]
    assert sky == cloud != mountain == again and fog == anything == -1


def test_where_anything_may_be_nothing_is_fitted(outlines: np.ndarray):
    before = painted(2)
    assert (fitted(before, np.where(outlines == 1, -1, 0).astype(np.int32), 4) == before).all()


def test_it_tells_how_far_it_is_and_can_be_stopped(outlines: np.ndarray, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(silhouettes, "ROWS", 40)
    told: list[int] = []

    def stop(pixels: int) -> None:
        told.append(pixels)
        if len(told) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fitted(painted(2), outlines, 4, after_rows=stop)
    assert told == [40 * WIDTH, 40 * WIDTH]
