# SPDX-License-Identifier: GPL-3.0-or-later
"""Which card shows what, on scenes of a few pixels: a thing before a wall, both on ground, sky above."""

from __future__ import annotations

import numpy as np
import pytest
from spade_backdrops.bridge.layers import OUTSIDE, Layers, taken_apart
from spade_backdrops.bridge.sight import Projector
from spade_backdrops.place.layers.composing import card, with_picture

HEIGHT, WIDTH, TOP, LEFT = 64, 96, 6, 9
ENDS = (10.0, 30.0)
SKY = 1e10
INSIDE = (slice(TOP, TOP + HEIGHT), slice(LEFT, LEFT + WIDTH))
PROJECTOR = Projector(((1.0, 0, 0, 0), (0, 1.0, 0, 0), (0, 0, 1.0, 0)), (1.0, 1.5), (0.5, 0.5))
MAP = np.zeros((HEIGHT, WIDTH), np.uint8)


def canvas() -> np.ndarray:
    """Ground that comes nearer from 100 m at the middle row to 2 m at the lowest, and sky above."""
    rows = np.arange(HEIGHT + 2 * TOP)[:, None] - TOP + 0.5
    ahead = np.where(rows > HEIGHT / 2, 64.0 / np.maximum(rows - HEIGHT / 2, 0.5), SKY)
    return np.broadcast_to(ahead, (HEIGHT + 2 * TOP, WIDTH + 2 * LEFT)).copy()


def put(depth: np.ndarray, rectangle: tuple[int, int, int, int], distance: float) -> None:
    left, top, right, bottom = rectangle
    part = depth[TOP + top : TOP + bottom, LEFT + left : LEFT + right]
    part[:] = np.minimum(part, distance)


THING, WALL = (30, 20, 50, 44), (20, 10, 80, 36)


@pytest.fixture
def plan() -> Layers:
    """A thing at 6 m, a wall at 20 m; the first is hidden for the second card, both for the third."""
    whole, without_thing, bare = canvas(), canvas(), canvas()
    put(whole, WALL, 20.0), put(without_thing, WALL, 20.0)
    put(whole, THING, 6.0)
    return taken_apart(PROJECTOR, whole[INSIDE], [whole, without_thing, bare], ENDS, (MAP, MAP, MAP))


def at(pixels: np.ndarray, column: int, row: int):
    return pixels[TOP + row, LEFT + column]


def test_each_pixel_of_the_picture_is_on_the_card_of_its_band(plan):
    for place, number in (((40, 30), 0), ((60, 20), 1), ((5, 5), 2), ((10, 63), 0), ((10, 36), 1)):
        assert at(plan.owner, *place) == number, place
    assert plan.owner[0, 0] == OUTSIDE
    assert plan.distances[0] < plan.distances[1] == 20.0 < plan.distances[2]


def test_farther_cards_go_on_behind_nearer_ones_and_beyond_the_frame(plan):
    nearest, second, third = (plan.alpha(number) for number in range(3))
    assert nearest[-1, 0] and nearest[TOP + HEIGHT, LEFT + 10] and not nearest[TOP + 36, 0]
    assert at(second, 40, 30), "the wall behind the thing"
    assert at(second, 10, 63), "ground below what is nearer, without a lower edge"
    assert not at(second, 40, 2), "what the picture shows behind it stays to be seen"
    assert second[-1, 0] and not second[0, 0], "beyond the frame by what is there"
    assert third.all()


def test_at_rest_the_cards_are_the_picture(plan):
    random = np.random.default_rng(0)
    rgb, *paintings = random.integers(0, 256, (4, HEIGHT, WIDTH, 3), dtype=np.uint8)
    cards = [card(plan, number, rgb, each) for number, each in enumerate(paintings)]
    seen = np.zeros_like(cards[0])
    for each in reversed(cards):
        seen = np.where(each[..., 3:] > 0, each, seen)
    np.testing.assert_array_equal(seen[INSIDE][..., :3], rgb)


def test_a_thing_that_crosses_a_border_is_on_one_card():
    """Its own middle says on which: half of it is nearer than the border."""
    whole, bare = canvas(), canvas()
    put(whole, (30, 0, 40, 60), 9.0), put(whole, (40, 0, 50, 60), 12.0)
    plan = taken_apart(PROJECTOR, whole[INSIDE], [whole, bare, bare], ENDS, (MAP, MAP, MAP))
    assert {int(at(plan.owner, column, 20)) for column in range(31, 49)} == {0}


def test_what_stands_on_nearer_ground_keeps_its_foot():
    whole, bare = canvas(), canvas()
    put(whole, (30, 20, 50, 38), 10.5)  # beyond the border, on ground that begins before it
    plan = taken_apart(PROJECTOR, whole[INSIDE], [whole, whole, bare], ENDS, (MAP, MAP, MAP))
    assert {int(at(plan.owner, 40, row)) for row in range(21, 38)} == {1}


def test_outlines_take_a_rim_along_where_what_is_behind_is_far():
    whole, bare = canvas(), canvas()
    whole, bare = (np.repeat(np.repeat(each, 4, 0), 4, 1) for each in (whole, bare))
    whole[80:120, 160:220] = 6.0
    inside = (slice(24, 24 + 256), slice(36, 36 + 384))
    plan = taken_apart(PROJECTOR, whole[inside], [whole, bare, bare], ENDS, (MAP, MAP, MAP))
    assert plan.owner[79, 180] == 0 and plan.owner[77, 180] == 2


def test_a_painting_is_moved_to_the_pictures_light(plan):
    """Where both show the same they differ by as much everywhere: so does what only one shows."""
    rgb = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)
    darker = np.full((HEIGHT, WIDTH, 3), 100, np.uint8)
    found = card(plan, 2, rgb, darker)
    assert np.abs(found[..., :3].astype(int) - 120).max() <= 2


def test_where_nothing_was_painted_the_sky_goes_on(plan):
    rgb = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    rgb[: HEIGHT // 2] = (90, 140, 220)
    found = card(plan, 2, rgb, None)
    assert at(found, 40, 30)[2] > 60 and found[0, 0, 2] > 200


def test_another_picture_of_the_same_plan_leaves_what_is_behind(plan):
    random = np.random.default_rng(1)
    rgb, painted = random.integers(0, 256, (2, HEIGHT, WIDTH, 3), dtype=np.uint8)
    before = card(plan, 1, rgb, painted)
    after = with_picture(plan, 1, 255 - rgb, before)
    own = plan.owner == 1
    np.testing.assert_array_equal(after[~own], before[~own])
    np.testing.assert_array_equal(after[INSIDE][own[INSIDE]][:, :3], (255 - rgb)[own[INSIDE]])


def test_a_plan_is_the_same_after_its_way_through_a_file(plan, tmp_path):
    empty = Layers(PROJECTOR, plan.distances, plan.owner, plan.reach, (MAP, MAP, None))
    for each in (plan, empty):
        np.savez(tmp_path / "plan.npz", **each.to_arrays())
        with np.load(tmp_path / "plan.npz") as arrays:
            assert Layers.from_arrays(arrays).is_like(each)
    assert not plan.is_like(empty)
