# SPDX-License-Identifier: Apache-2.0
"""What moves changes the picture around it, and farther away than the networks see, nothing."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from spade_core.contract.request import NamedStyle, PictureRequest
from spade_core.synthesis.paint import paint
from spade_core.synthesis.synthesizer import Synthesizer
from tests.synthesis.test_placed_styles import lively
from tests.synthesis.test_tiles import KINDS, LANDSCAPE, OURS, patchwork

SKY, GRASS, ROCK = (LANDSCAPE.match(name).id for name in ("sky", "grass", "rock"))


def strip(width: int, height: int, rock: int) -> np.ndarray:
    labels = np.full((height, width), SKY, np.uint8)
    labels[height // 2 :] = GRASS
    labels[height // 2 : height * 3 // 4, rock : rock + height // 4] = ROCK
    return labels


def last_difference(first: np.ndarray, second: np.ndarray) -> int:
    """The last column that differs."""
    return int(np.flatnonzero((first != second).any((0, 2))).max())


@pytest.mark.parametrize("kind", ["ours", "published", "clade", "concat"])
def test_no_pixel_is_changed_from_farther_than_its_sight(kind):
    model = lively(replace(KINDS[kind], base_width=2) if kind != "ours" else OURS)
    sight = model.parted.sight
    assert sight is not None and sight % 2**model._generator.config.steps < 64
    labels = patchwork(64, 128 + -(-sight // 64) * 64)
    changed = labels.copy()
    changed[:, :32] = np.roll(changed[:, :32], 8, 0)
    one, other = model.render_float(labels, seed=5), model.render_float(changed, seed=5)
    far = 32 + sight
    assert not np.array_equal(one[:, :32], other[:, :32])
    assert np.abs(one[:, far:] - other[:, far:]).max() < 1e-5


def test_a_moved_rock_leaves_the_bytes_of_what_is_farther_as_they_were():
    model = Synthesizer.load("landscape", "cpu")
    sight = model.parted.sight
    assert sight is not None and sight < 700
    width, rock = 1408, 64
    request = PictureRequest(
        strip(width, 64, rock), LANDSCAPE, seed=3, style=NamedStyle("clear-noon"), upscale="off"
    )
    moved = replace(request, label_map=strip(width, 64, rock + 24))
    end = last_difference(paint(model, request).rgb, paint(model, moved).rgb)
    assert rock + 16 < end < rock + 24 + 16 + sight


def test_a_network_whose_norms_see_the_whole_picture_says_that_all_of_it_may_change():
    assert lively(replace(OURS, norm="instance")).parted.sight is None


def test_an_enlarged_picture_is_changed_no_farther_than_both_networks_see():
    model = Synthesizer.load("landscape", "cpu")
    from spade_core.upscaling.choice import loaded

    upscaler = loaded("auto", "cpu")
    height, width, rock = 128, 2816, 128
    request = PictureRequest(strip(width, height, rock), LANDSCAPE, seed=3, style=NamedStyle("clear-noon"))
    moved = replace(request, label_map=strip(width, height, rock + 48))
    one, other = paint(model, request), paint(model, moved)
    assert one.upscaler
    times = width / model.painting_size((height, width))[1]
    far = math.ceil((model.parted.sight + upscaler.sight) * times)
    assert rock + 32 < last_difference(one.rgb, other.rgb) < rock + 48 + 32 + far < width
