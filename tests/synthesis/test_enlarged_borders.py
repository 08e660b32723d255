# SPDX-License-Identifier: Apache-2.0
"""Where the borders of a picture of 1024 lie that was painted at 256 and enlarged, against its full-size label map.

A column's border is where its brightness crosses the middle of what is painted above and below, to a part of a pixel.
"""

from __future__ import annotations

import numpy as np
import pytest

from spade_core.contract.labels import load_label_set
from spade_core.contract.request import PictureRequest, SeedStyle
from spade_core.synthesis.paint import paint
from spade_core.synthesis.synthesizer import Synthesizer

LANDSCAPE = load_label_set("landscape")
SIDE = 1024
VISIBLE = 25
"""Steps of brightness between the two sides: less is no border to anybody."""
NAMES = ("mountain", "building")


@pytest.fixture(scope="module")
def model() -> Synthesizer:
    return Synthesizer.load("landscape", "cpu")


def ridge() -> np.ndarray:
    """(SIDE,) rows: hills, rocks and single stones, which a map of 256 knows only in part."""
    x = np.arange(SIDE)
    return 480 + 90 * np.sin(x / 97) + 40 * np.sin(x / 31 + 1) + 12 * np.sin(x / 9 + 2) + 3 * np.sin(x / 3.3)


def scene(name: str) -> np.ndarray:
    """(SIDE, SIDE) ids: sky over the class of that name."""
    above, below = LANDSCAPE.match("sky").id, LANDSCAPE.match(name).id
    return np.where(np.arange(SIDE)[:, None] + 0.5 < ridge()[None], above, below).astype(np.uint8)


def distances(rgb: np.ndarray) -> np.ndarray:
    """In pixels, of the columns where the ridge is no steeper than about 50 degrees and is seen."""
    grey, rows, found = rgb.astype(float) @ [0.299, 0.587, 0.114], ridge(), []
    for column in np.flatnonzero(np.abs(np.gradient(rows)) < 1.2)[20:-20]:
        at = int(round(rows[column]))
        line = grey[at - 40 : at + 40, column]
        above, below = np.median(line[28:37]), np.median(line[43:52])
        side = (line - (above + below) / 2) / (above - below) if abs(above - below) > VISIBLE else line * 0
        crossed = np.flatnonzero((side[:-1] > 0) & (side[1:] <= 0))
        if len(crossed):
            places = at - 40 + crossed + side[crossed] / (side[crossed] - side[crossed + 1]) + 0.5
            found.append(np.abs(places - rows[column]).min())
    return np.array(found)


def enlarged(model: Synthesizer, label_map: np.ndarray, seed: int) -> np.ndarray:
    return paint(model, PictureRequest(label_map, LANDSCAPE, style=SeedStyle(seed), seed=seed)).rgb


def test_borders_lie_within_a_pixel_of_the_label_maps_in_the_mean(model: Synthesizer):
    off = [distances(enlarged(model, scene(name), seed)) for name in NAMES for seed in range(3)]
    assert sum(map(len, off)) > 1500
    assert np.mean(np.concatenate(off)) <= 1


def test_a_label_map_smaller_than_the_picture_gives_it_no_stairs(model: Synthesizer):
    small = scene("mountain")[::4, ::4]
    picture = paint(model, PictureRequest(small, LANDSCAPE, seed=1, size=(SIDE, SIDE))).rgb.astype(int)
    column = picture[:, 512, :].mean(1)
    steps = np.abs(np.diff(column))
    assert steps.max() < 0.6 * np.ptp(column)


def test_what_is_three_pixels_wide_stands_where_the_label_map_has_it(model: Synthesizer):
    """A map of 256 has less than one pixel of it; by sampling the nearest it may even have none."""
    label_map = np.full((SIDE, SIDE), LANDSCAPE.match("sky").id, np.uint8)
    poles = [101, 302, 503, 704]
    for pole in poles:
        label_map[300:700, pole : pole + 3] = LANDSCAPE.match("building").id
    off = []
    for seed in (1, 2):
        rgb = enlarged(model, label_map, seed)[400:600].astype(float).mean((0, 2))
        for pole in poles:
            around = np.abs(rgb[pole - 12 : pole + 15] - np.median(rgb[pole - 12 : pole + 15]))
            assert around.max() > VISIBLE
            off.append(abs((around * np.arange(-12, 15)).sum() / around.sum() - 1))
    assert np.mean(off) <= 1 and max(off) <= 1.5
