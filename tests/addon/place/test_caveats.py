# SPDX-License-Identifier: GPL-3.0-or-later
"""What cannot be undone is said."""

from __future__ import annotations

import numpy as np
import pytest
from spade_backdrops.place.backdrop import place_backdrop
from spade_backdrops.place.caveats import caveats
from spade_backdrops.place.image import store_image


@pytest.fixture
def placed(scene, pixels):
    pixels.camera()
    scene.view_settings.view_transform = "Standard"
    place_backdrop(scene, store_image(np.zeros((32, 32, 3), np.uint8), "Backdrop", scene, {}))
    return scene


def test_nothing_is_said_of_a_picture_that_is_seen_as_it_was_painted(placed):
    assert caveats(placed) == []


@pytest.mark.parametrize(
    ("view", "said"),
    [("AgX", "vivid colours paler"), ("False Color", "cannot show pictures as they were painted")],
)
def test_a_view_that_cannot_show_everything_is_named(placed, view, said):
    placed.view_settings.view_transform = view
    place_backdrop(placed, store_image(np.zeros((32, 32, 3), np.uint8), "Backdrop", placed, {}))
    (sentence,) = caveats(placed)
    assert view in sentence and said in sentence


def test_what_acts_on_the_picture_as_on_all_else_is_said(placed):
    placed.view_settings.view_transform = "AgX"
    placed.view_settings.look, placed.view_settings.use_curve_mapping = "AgX - Punchy", True
    placed.camera.data.dof.use_dof = True
    said = " ".join(caveats(placed))
    assert "Punchy" in said and "curves" in said and "Depth of field" in said
