# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the label pass share: a camera, and pictures worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

SHAPE = (48, 64)


@pytest.fixture
def view(scene, pixels):
    """An orthographic camera that sees 64 x 48 metres: a metre is a pixel, borders are exact."""
    return pixels.camera()


class Picture:
    """Compares what the label pass takes with rectangles of classes; later ones lie over earlier ones."""

    def __init__(self, scene):
        from spade_backdrops.scene.label_rules import scene_label_set

        self.scene = scene
        self.ids = {entry.name: entry.id for entry in scene_label_set(scene).classes} | {"no label": 255}

    def taken(self):
        from spade_backdrops.scene.label_pass import render_label_map

        return render_label_map(self.scene, SHAPE)

    def shows(self, *rectangles, background="sky"):
        """Assert that every pixel is what was worked out."""
        expected = np.full(SHAPE, self.ids[background])
        for (left, top, right, bottom), name in rectangles:
            expected[top:bottom, left:right] = self.ids[name]
        np.testing.assert_array_equal(self.taken().label_map, expected)


@pytest.fixture
def picture(scene):
    return Picture(scene)
