# SPDX-License-Identifier: Apache-2.0
"""Tiles, and pictures that go on at their other end."""

from __future__ import annotations

import numpy as np
import pytest

from spade_core.upscaling import tiling
from spade_core.upscaling.tiling import spans
from spade_core.upscaling.upscaler import Upscaler


@pytest.fixture(scope="module")
def small(picture: np.ndarray) -> np.ndarray:
    """(48, 64, 3), with detail from border to border."""
    return picture[24:, 32:96]


@pytest.mark.parametrize("wrap", [(False, False), (False, True), (True, False), (True, True)])
def test_tiles_give_the_picture_that_the_whole_gives(
    upscaler: Upscaler, small: np.ndarray, wrap: tuple[bool, bool], monkeypatch: pytest.MonkeyPatch
):
    whole = upscaler.upscale(small, (192, 256), wrap=wrap)
    monkeypatch.setattr(tiling, "SIDE", 20)
    tiled = upscaler.upscale(small, (192, 256), wrap=wrap)
    assert np.abs(tiled.astype(int) - whole).max() <= 1


def test_tiles_cover_an_axis_evenly_and_follow_from_its_length_alone():
    assert spans(256) == [(0, 256)]
    assert spans(257) == [(0, 128), (128, 257)]
    assert spans(1024) == [(0, 256), (256, 512), (512, 768), (768, 1024)]


@pytest.mark.parametrize("wrap", [(True, False), (False, True), (True, True)])
@pytest.mark.parametrize("scale", [2, 4, 8])
def test_a_picture_that_wraps_has_no_place_where_it_begins(
    upscaler: Upscaler, small: np.ndarray, wrap: tuple[bool, bool], scale: int
):
    """Moved around and enlarged is enlarged and moved around: a seam would move with it."""
    size = (48 * scale, 64 * scale)
    shift = [29 * wrap[0], 37 * wrap[1]]
    enlarged = upscaler.upscale(small, size, wrap=wrap)
    moved = upscaler.upscale(np.roll(small, shift, (0, 1)), size, wrap=wrap)
    expected = np.roll(enlarged, [scale * pixels for pixels in shift], (0, 1))
    assert np.abs(moved.astype(int) - expected).max() <= 1


def test_a_picture_that_does_not_wrap_is_not_touched_by_its_other_end(upscaler: Upscaler, small: np.ndarray):
    other = small.copy()
    other[:, -8:] = 255
    ours, theirs = (upscaler.upscale(rgb, (192, 256))[:, :8] for rgb in (small, other))
    np.testing.assert_array_equal(ours, theirs)
    around = [upscaler.upscale(rgb, (192, 256), wrap=(False, True))[:, :8] for rgb in (small, other)]
    assert np.abs(around[0].astype(int) - around[1]).max() > 1
