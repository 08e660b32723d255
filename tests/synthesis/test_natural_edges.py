# SPDX-License-Identifier: Apache-2.0
"""Borders of grey boxes, moved as nature would draw them."""

from __future__ import annotations

import numpy as np
import pytest

from spade_core.contract.errors import BadHeaderError
from spade_core.contract.labels import load_label_set
from spade_core.contract.limits import Limits
from spade_core.contract.request import PictureRequest
from spade_core.synthesis.natural_edges import with_natural_edges

LANDSCAPE = load_label_set("landscape")
SKY, MOUNTAIN, WATER, BUILDING = (
    LANDSCAPE.match(name).id for name in ("sky", "mountain", "water", "building")
)
SIZE = 384


def over(below: int) -> np.ndarray:
    """Sky over another class, the border straight at two fifths of the height."""
    ids = np.full((SIZE, SIZE), SKY, np.uint8)
    ids[SIZE * 2 // 5 :] = below
    return ids


def border(ids: np.ndarray) -> np.ndarray:
    """The first row of each column that is not sky."""
    return (ids != SKY).argmax(0)


def test_a_straight_border_becomes_ragged_by_a_hundredth_of_the_height():
    rows = border(with_natural_edges(over(MOUNTAIN), LANDSCAPE, 1.0, 3))
    assert 2 < np.abs(rows - SIZE * 2 // 5).mean() < 6 and len(set(rows.tolist())) > 8
    assert np.abs(np.diff(rows)).max() <= 8  # an edge, and not noise


def test_half_as_much_moves_it_half_as_far_and_none_leaves_the_map_as_it_is():
    whole, half = (
        np.abs(border(with_natural_edges(over(MOUNTAIN), LANDSCAPE, amount, 3)) - SIZE * 2 // 5).mean()
        for amount in (1.0, 0.5)
    )
    assert half == pytest.approx(whole / 2, rel=0.2)
    assert np.array_equal(with_natural_edges(over(MOUNTAIN), LANDSCAPE, 0.0, 3), over(MOUNTAIN))


def test_the_seed_decides_it_whatever_else_happens():
    first, again, other = (with_natural_edges(over(MOUNTAIN), LANDSCAPE, 1.0, seed) for seed in (3, 3, 4))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_it_looks_the_same_at_every_size():
    small = border(with_natural_edges(over(MOUNTAIN), LANDSCAPE, 1.0, 3))
    large = border(with_natural_edges(over(MOUNTAIN).repeat(2, 0).repeat(2, 1), LANDSCAPE, 1.0, 3))
    assert np.abs(large[::2] / 2 - small).mean() < 1.5


@pytest.mark.parametrize("straight", [WATER, BUILDING])
def test_the_level_of_water_and_what_people_build_stay_exact(straight: int):
    assert np.array_equal(with_natural_edges(over(straight), LANDSCAPE, 1.0, 3), over(straight))


def test_no_class_appears_that_was_not_there():
    ids = np.random.default_rng(0).choice([SKY, MOUNTAIN, LANDSCAPE.ignore_id], (64, 64)).astype(np.uint8)
    moved = with_natural_edges(ids, LANDSCAPE, 1.0, 3)
    assert set(np.unique(moved)) <= set(np.unique(ids)) and moved.dtype == np.uint8


def test_an_amount_beyond_its_range_is_refused():
    with pytest.raises(BadHeaderError):
        PictureRequest(over(MOUNTAIN), LANDSCAPE, natural_edges=1.5).check(Limits())
