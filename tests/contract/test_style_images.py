# SPDX-License-Identifier: Apache-2.0
"""Pictures of styles are made to fit the limits, and left alone where they do."""

from __future__ import annotations

import numpy as np
import pytest

from spade_core.contract.errors import TooLargeError
from spade_core.contract.labels import load_label_set
from spade_core.contract.limits import Limits
from spade_core.contract.request import ImageStyle, MixedStyle, NamedStyle, PictureRequest, SeedStyle
from spade_core.contract.style_images import fitted

SMALL = Limits(max_side=64)


@pytest.mark.parametrize(
    "style", [None, SeedStyle(3), NamedStyle("night"), ImageStyle(np.ones((64, 40, 3), np.uint8))]
)
def test_what_fits_is_the_same(style):
    assert fitted(style, SMALL) is style


def test_a_large_picture_keeps_its_aspect_and_its_average():
    rgb = np.random.default_rng(0).integers(0, 256, (200, 130, 3), np.uint8)
    small = fitted(ImageStyle(rgb), SMALL)
    assert small.rgb.shape == (64, 41, 3) and small.rgb.dtype == np.uint8
    assert np.abs(small.rgb.mean((0, 1)) - rgb.mean((0, 1))).max() < 2


@pytest.mark.parametrize("shape", [(1, 1, 3), (16, 4096, 3), (3000, 5, 3)])
def test_every_picture_is_taken_after_it_was_fitted(shape):
    style = fitted(ImageStyle(np.full(shape, 77, np.uint8)), SMALL)
    PictureRequest(np.zeros((64, 64), np.uint8), load_label_set("landscape"), style=style).check(SMALL)
    assert (style.rgb == 77).all()


def test_a_picture_of_more_bytes_than_a_message_holds_is_refused_and_can_be_fitted():
    limits = Limits(max_bytes=10_000)
    style = ImageStyle(np.zeros((100, 100, 3), np.uint8))
    request = PictureRequest(np.zeros((64, 64), np.uint8), load_label_set("landscape"), style=style)
    with pytest.raises(TooLargeError):
        request.check(limits)
    assert fitted(style, limits).rgb.nbytes <= limits.max_bytes


def test_both_pictures_of_a_mix_are_fitted():
    mix = fitted(MixedStyle(ImageStyle(np.zeros((99, 99, 3), np.uint8)), SeedStyle(1), 0.3), SMALL)
    assert mix.first.rgb.shape == (64, 64, 3) and (mix.second, mix.share) == (SeedStyle(1), 0.3)
