# SPDX-License-Identifier: Apache-2.0
"""Plain statistics of pictures so small that they can be computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from spade_core.contract.labels import load_label_set
from spade_core.evaluation.statistics import PictureStatistics, StatisticsCounter

LANDSCAPE = load_label_set("landscape")
SKY, GRASS = 0, 6


def measured(*pictures: tuple[np.ndarray, np.ndarray]) -> PictureStatistics:
    counter = StatisticsCounter(LANDSCAPE)
    for rgb, label_map in pictures:
        counter.add(rgb, label_map)
    return counter.statistics()


def grey(levels: list[list[int]]) -> np.ndarray:
    return np.repeat(np.array(levels, np.uint8)[..., None], 3, axis=2)


def test_one_white_pixel_in_black():
    rgb = grey([[0, 0, 0], [0, 255, 0], [0, 0, 0]])
    found = measured((rgb, np.full((3, 3), SKY, np.uint8))).whole
    assert found.share == 1 and found.chroma == 0
    assert found.lightness == pytest.approx(1 / 9)
    assert found.spread == pytest.approx(np.sqrt(1 / 9 * 8 / 9))
    assert (found.black, found.white) == (pytest.approx(8 / 9), pytest.approx(1 / 9))
    assert found.laplacian == pytest.approx(4)  # of the one pixel that has four neighbours


def test_pure_colours_have_full_chroma_and_their_luma():
    rgb = np.zeros((3, 3, 3), np.uint8)
    rgb[0, :, 0] = rgb[1, :, 1] = rgb[2, :, 2] = 255
    found = measured((rgb, np.full((3, 3), SKY, np.uint8))).whole
    assert found.chroma == pytest.approx(1)
    assert found.lightness == pytest.approx(1 / 3)
    assert found.laplacian == pytest.approx(abs(0.299 + 0.114 - 2 * 0.587))
    assert (found.black, found.white) == (0, 0)


def test_black_and_white_begin_at_their_thresholds():
    rgb = grey([[12, 13, 242], [243, 128, 128], [128, 128, 128]])  # .047 .051 .949 .953
    found = measured((rgb, np.full((3, 3), SKY, np.uint8))).whole
    assert (found.black, found.white) == (pytest.approx(1 / 9), pytest.approx(1 / 9))


def test_a_class_is_measured_on_its_own_pixels_and_its_laplacian_away_from_others():
    labels = np.array([[SKY] * 3 + [GRASS] * 3] * 3, np.uint8)
    rgb = grey([[0, 0, 0, 255, 255, 255], [0, 51, 0, 255, 204, 255], [0, 0, 0, 255, 255, 255]])
    found = measured((rgb, labels))
    sky, grass = found.by_class["sky"], found.by_class["grass"]
    assert set(found.by_class) == {"sky", "grass"} and sky.share == grass.share == 0.5
    assert (sky.lightness, grass.lightness) == (pytest.approx(0.2 / 9), pytest.approx(1 - 0.2 / 9))
    assert sky.spread == pytest.approx(grass.spread) == pytest.approx(0.2 * np.sqrt(1 / 9 * 8 / 9))
    assert sky.laplacian == pytest.approx(0.8) and grass.laplacian == pytest.approx(0.8)
    assert found.whole.laplacian == pytest.approx(
        (0.8 + 1.2 + 1.2 + 0.8) / 4
    )  # in the middle: .2 + 1, and 1 + .2
    assert found.whole.lightness == pytest.approx(0.5)


def test_a_class_of_single_pixels_has_no_laplacian_and_unlabelled_ones_belong_to_no_class():
    labels = np.full((3, 3), LANDSCAPE.ignore_id, np.uint8)
    labels[1, 1] = SKY
    found = measured((grey([[100] * 3] * 3), labels))
    assert set(found.by_class) == {"sky"}
    assert found.by_class["sky"].laplacian is None and found.by_class["sky"].share == pytest.approx(1 / 9)
    assert found.whole.share == 1


def test_the_spread_is_that_within_pictures_and_they_count_by_their_pixels():
    flat_dark, flat_light = grey([[0] * 4] * 4), grey([[255] * 4] * 4)
    half = grey([[0, 0, 255, 255]] * 4)  # spread one half, of sky in its whole
    everywhere = np.full((4, 4), SKY, np.uint8)
    assert measured((flat_dark, everywhere), (flat_light, everywhere)).whole.spread == 0
    assert measured((flat_dark, everywhere), (half, everywhere)).whole.spread == pytest.approx(0.25)
    quarter = np.full((4, 4), GRASS, np.uint8)
    quarter[:, 0] = SKY
    found = measured((flat_dark, quarter), (half, everywhere)).by_class["sky"]
    assert found.spread == pytest.approx((4 * 0 + 16 * 0.5) / 20)
