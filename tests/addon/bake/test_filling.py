# SPDX-License-Identifier: GPL-3.0-or-later
"""Texels that nothing was painted on: known ones keep their bytes, the others go smoothly between them."""

from __future__ import annotations

import numpy as np
import pytest
from spade_backdrops.bake.filling import filled
from spade_backdrops.bake.surface import normals, roughness


@pytest.mark.parametrize("shape", [(64, 64), (37, 50), (1, 9), (600, 130)])
def test_known_texels_keep_their_bytes(shape):
    rng = np.random.default_rng(0)
    colors, known = rng.integers(0, 256, (*shape, 3), dtype=np.uint8), rng.random(shape) < 0.3
    made = filled(colors, known)
    assert made.dtype == np.uint8 and made.shape == colors.shape
    np.testing.assert_array_equal(made[known], colors[known])


def test_what_is_unknown_stays_between_what_is_known_and_changes_slowly():
    colors, known = np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64), bool)
    known[:, :4] = known[:, -4:] = True
    colors[:, :4], colors[:, -4:] = 50, 150
    colors[:, 4:-4] = 255  # what was baked there is no colour
    row = filled(colors, known)[32, :, 0].astype(int)
    assert row.min() == 50 and row.max() == 150
    assert np.abs(np.diff(row)).max() <= 20 and 90 < row[32] < 110


def test_without_a_known_texel_it_is_grey():
    assert (filled(np.full((8, 8, 3), 200, np.uint8), np.zeros((8, 8), bool)) == 128).all()


def test_plain_colour_is_flat_and_bright_spots_stand_out_and_shine():
    plain = np.full((32, 32, 3), 100, np.uint8)
    assert (normals(plain) == (128, 128, 255)).all()
    spot = plain.copy()
    spot[16, 16] = 255
    seen = normals(spot).astype(int)
    assert seen[16, 15, 0] < 128 < seen[16, 17, 0], "it leans to the left at the left of the spot"
    assert seen[15, 16, 1] > 128 > seen[17, 16, 1], "and up above it, where y is up"
    assert roughness(spot)[16, 16] < roughness(spot)[0, 0]
