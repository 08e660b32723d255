# SPDX-License-Identifier: Apache-2.0
"""Blocking out label maps: lines, regions and primitives, and what never happens to ids."""

import numpy as np
import pytest

from spade_core.contract.labels import load_label_set
from spade_core.data.grey_box.augment import GreyBox, blocked_out, blocky
from spade_core.data.grey_box.borders import Borders
from spade_core.data.grey_box.primitives import primitives_of
from spade_core.data.grey_box.regions import regions, without_small

LANDSCAPE = load_label_set("landscape")
IDS = {entry.name: entry.id for entry in LANDSCAPE.classes}


def patches(seed, shape=(40, 53), count=4):
    """Blobs of a few ids, with specks."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, count, (6, 7))
    rows = np.clip(np.arange(shape[0]) * 6 // shape[0] + random.integers(-1, 2, shape[0]), 0, 5)
    columns = np.clip(np.arange(shape[1]) * 7 // shape[1] + random.integers(-1, 2, shape[1]), 0, 6)
    return coarse[rows[:, None], columns[None]].astype(np.uint8)


def landscape(height=96, width=128):
    """Sky, a ragged mountain range, grass with a wood and a house on it."""
    random = np.random.default_rng(4)
    label_map = np.full((height, width), IDS["sky"], np.uint8)
    crest = height * 0.4 + np.cumsum(random.integers(-2, 3, width))
    label_map[np.arange(height)[:, None] > crest] = IDS["mountain"]
    label_map[int(height * 0.55) :] = IDS["grass"]
    label_map[int(height * 0.45) : int(height * 0.7), 10:50] = IDS["tree"]
    label_map[int(height * 0.5) : int(height * 0.65), 80:105] = IDS["building"]
    label_map[5:7, 5:7] = IDS["rock"]
    return label_map


def flood(label_map):
    """Regions the slow way."""
    region = np.full(label_map.shape, -1)
    for start in np.ndindex(label_map.shape):
        if region[start] >= 0:
            continue
        number, pending = region.max() + 1, [start]
        region[start] = number
        while pending:
            y, x = pending.pop()
            for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                inside = 0 <= v < label_map.shape[0] and 0 <= u < label_map.shape[1]
                if inside and region[v, u] < 0 and label_map[v, u] == label_map[y, x]:
                    region[v, u] = number
                    pending.append((v, u))
    return region


NOISE = np.random.default_rng(1).integers(0, 3, (19, 23)).astype(np.uint8)


@pytest.mark.parametrize(
    "label_map", [NOISE, patches(0), np.zeros((5, 9), np.uint8), np.eye(7, dtype=np.uint16) * 300]
)
def test_regions_are_what_touches_by_its_sides(label_map):
    region, ids = regions(label_map)
    slow = flood(label_map)
    assert ids.size == slow.max() + 1
    assert len(np.unique(np.stack([region.ravel(), slow.ravel()]), axis=1).T) == ids.size
    np.testing.assert_array_equal(ids[region], label_map)


@pytest.mark.parametrize("label_map", [NOISE, patches(1), np.zeros((3, 4), np.uint8), patches(2, (7, 90))])
def test_traced_borders_paint_exactly_the_regions_they_were_traced_from(label_map):
    region, _ = regions(label_map)
    borders = Borders.of(region)
    np.testing.assert_array_equal(borders.painted(), region)
    np.testing.assert_array_equal(borders.straightened(0.0).painted(), region)


@pytest.mark.parametrize("seed", range(6))
def test_straightened_lines_stay_within_the_tolerance(seed):
    region, _ = regions(patches(seed))
    changed = Borders.of(region).straightened(2.0).painted() != region
    rows, columns = np.nonzero(changed)
    for y, x in zip(rows, columns, strict=True):  # what changed lies near a border
        near = region[max(0, y - 3) : y + 4, max(0, x - 3) : x + 4]
        assert (near != region[y, x]).any()
    assert len(Borders.of(region).straightened(2.0).points) < len(Borders.of(region).points)


def test_a_straight_ridge_comes_out_of_a_ragged_one():
    ragged = np.arange(60)[:, None] > 30 + np.random.default_rng(0).integers(-2, 3, 80)
    region, _ = regions(without_small(ragged.astype(np.uint8), 30))
    crest = Borders.of(region).straightened(6.0).painted().argmax(axis=0).astype(int)
    assert np.abs(np.diff(crest)).max() <= 1


def test_smoothing_rounds_corners_and_keeps_the_ends():
    square = np.zeros((60, 60), np.uint8)
    square[15:45, 15:45] = 1
    smooth = Borders.of(regions(square)[0]).smoothed(3.0).painted()
    assert smooth[30, 30] == 1 and smooth[15, 15] == 0 and 0.75 < smooth.sum() / 900 < 1.0
    halves = np.repeat([[0] * 20 + [1] * 20], 40, axis=0)
    np.testing.assert_array_equal(Borders.of(halves.astype(np.int32)).smoothed(4.0).painted(), halves)


def test_small_regions_go_to_the_neighbour_they_border_on_most():
    label_map = np.zeros((20, 20), np.uint8)
    label_map[10:] = 1
    label_map[8:10, 4:12] = 2  # a longer border with 0 (above and at its ends) than with 1 below
    label_map[15, 15] = 3
    cleaned = without_small(label_map, 20)
    assert set(np.unique(cleaned)) == {0, 1} and (cleaned[8:10] == 0).all() and cleaned[15, 15] == 1
    np.testing.assert_array_equal(without_small(label_map, 2)[8:10], label_map[8:10])
    assert (without_small(np.full((4, 4), 9, np.uint8), 99) == 9).all()


def test_a_chain_of_small_regions_becomes_one_of_them_and_not_nothing():
    specks = np.arange(64, dtype=np.uint8).reshape(8, 8)
    merged = without_small(specks, 10)
    region, ids = regions(merged)
    assert np.bincount(region.ravel()).min() >= 10 and set(ids) <= set(specks.ravel())


@pytest.mark.parametrize("seed", range(8))
def test_no_new_id_ever_appears_and_shape_and_dtype_stay(seed):
    label_map = landscape() if seed % 2 else patches(seed, (64, 64)).astype(np.uint16) * 300
    augmentation = GreyBox(share=1.0, primitives=0.7).for_labels(LANDSCAPE)
    for draw in range(6):
        blocked = augmentation.apply(label_map, np.random.default_rng((seed, draw)))
        assert blocked.shape == label_map.shape and blocked.dtype == label_map.dtype
        assert set(np.unique(blocked)) <= set(np.unique(label_map))


def test_the_same_seed_gives_the_same_map_and_another_seed_another():
    label_map = landscape()
    np.testing.assert_array_equal(blocky(label_map, 3, LANDSCAPE), blocky(label_map, 3, LANDSCAPE))
    assert (blocky(label_map, 3, LANDSCAPE) != blocky(label_map, 4, LANDSCAPE)).any()
    assert (label_map == landscape()).all(), "the map that was given stays as it was"


def test_a_blocky_map_still_shows_the_same_scene():
    label_map = landscape()
    for seed in range(5):
        assert (blocky(label_map, seed) == label_map).mean() > 0.85
        assert (blocky(label_map, seed, LANDSCAPE) == label_map).mean() > 0.7
        assert IDS["rock"] not in blocky(label_map, seed), "the speck is gone"


@pytest.mark.parametrize("name", ["tree", "building", "mountain", "bush"])
def test_things_become_primitives_where_they_were(name):
    label_map = landscape()
    label_map[label_map == IDS["tree"]] = IDS[name]
    maker = {IDS[name]: primitives_of(LANDSCAPE)[IDS[name]]}
    before = label_map == IDS[name]
    for seed in range(4):
        after = blocked_out(label_map, 0.2, np.random.default_rng(seed), maker, rounded=False) == IDS[name]
        assert 0.4 < after.sum() / before.sum() < 1.6 and (after & before).sum() > 0.5 * after.sum()


def test_the_shipped_sets_have_their_trees_buildings_and_mountains():
    for name, expected in (("coco_stuff", 5), ("ade20k", 6), ("cityscapes", 1), ("landscape", 4)):
        assert len(primitives_of(load_label_set(name))) >= expected


@pytest.mark.parametrize("label_map", [np.zeros((1, 1), np.uint8), np.eye(3, dtype=np.uint8), NOISE])
def test_maps_of_any_size_are_taken(label_map):
    for seed in range(5):
        blocked = GreyBox(share=1.0).for_labels(LANDSCAPE).apply(label_map, np.random.default_rng(seed))
        assert blocked.shape == label_map.shape
