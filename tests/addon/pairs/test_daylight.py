# SPDX-License-Identifier: GPL-3.0-or-later
"""Other times of day for a copy of the scene."""

import math

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from PIL import Image  # noqa: E402
from spade_backdrops.pairs.daylight import Daylight  # noqa: E402
from spade_backdrops.pairs.pair_pass import Shot, render_pair  # noqa: E402
from spade_backdrops.scene.label_rules import assign  # noqa: E402

SHAPE = (48, 64)


def picture(path):
    with Image.open(path) as opened:
        assert opened.mode == "RGB"
        return np.asarray(opened)


def test_the_sun_comes_from_where_it_was_drawn(scene, pixels, tmp_path):
    """A cube from above: the side towards the sun is the brighter one."""
    bpy.ops.mesh.primitive_cube_add(size=10)
    cube = bpy.context.object
    assign(scene, cube, "rock")
    camera = pixels.camera()
    camera.location, camera.rotation_euler, camera.data.ortho_scale = (
        (0, -30, 30),
        (math.radians(45), 0, 0),
        16,
    )
    brightness = {}
    for name, azimuth in (("behind the camera", math.pi), ("facing the camera", 0.0)):
        day = Daylight(math.radians(20), azimuth, 1.0, 1.0)
        render_pair(scene, Shot(camera, 1, None, day), SHAPE, 8, tmp_path / "p.png")
        brightness[name] = picture(tmp_path / "p.png")[36, 32].mean()  # the face towards the camera
    assert brightness["behind the camera"] > 3 * brightness["facing the camera"]


def test_daylight_is_drawn_by_day_and_warm_when_low():
    drawn = [Daylight.sample(np.random.default_rng(seed)) for seed in range(50)]
    assert all(math.radians(5) < day.elevation < math.radians(72) for day in drawn)
    low, high = min(drawn, key=lambda day: day.elevation), max(drawn, key=lambda day: day.elevation)
    assert low.color[2] < high.color[2] and len({day.azimuth for day in drawn}) == 50
