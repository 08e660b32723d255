# SPDX-License-Identifier: GPL-3.0-or-later
"""Views a camera could have: above the ground, outside of things, with the horizon in them."""

import math

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from mathutils import Vector  # noqa: E402
from spade_backdrops.pairs.camera_sampler import CameraSampler  # noqa: E402


def test_drawn_views_stay_above_ground_outside_of_things_and_keep_the_horizon(valley):
    sampler = CameraSampler(valley)
    home = valley.camera.matrix_world.translation
    places = []
    for seed in range(40):
        view = sampler.sample(np.random.default_rng(seed))
        place = view.matrix.translation
        places.append(tuple(place))
        found, ground, normal, *_ = valley.ray_cast(
            bpy.context.evaluated_depsgraph_get(), place, Vector((0, 0, -1))
        )
        assert not found or (normal.z > 0 and place.z - ground.z > 1.0)
        assert (Vector((place.x, place.y)) - Vector((home.x, home.y))).length <= sampler.spread + 1e-4
        assert abs(math.asin((view.matrix.to_3x3() @ Vector((0, 0, -1))).z)) < math.radians(25)
        assert 0.65 < view.zoom < 1.5
    assert len(set(places)) > 30
    again = CameraSampler(valley).sample(np.random.default_rng(7))
    assert tuple(again.matrix.translation) == places[7]


def test_a_camera_in_a_cage_stays_in_it(scene, pixels):
    """Boxes close around the camera on all sides but one: whatever is drawn, it never ends up inside of one."""
    camera = pixels.camera()
    camera.data.type, camera.location = "PERSP", (0, 0, 2)
    for center in ((6, 0, 2), (-6, 0, 2), (0, -6, 2), (0, 0, 9), (0, 20, 2)):
        bpy.ops.mesh.primitive_cube_add(size=8, location=center)
        bpy.context.object.name = f"Rock {center}"
    bpy.ops.mesh.primitive_plane_add(size=200)
    bpy.context.view_layer.update()
    sampler = CameraSampler(scene, spread=12.0)
    for seed in range(25):
        place = sampler.sample(np.random.default_rng(seed)).matrix.translation
        inside = [
            thing.name
            for thing in scene.objects
            if thing.name.startswith("Rock")
            and all(abs(a - b) < 4.0 for a, b in zip(place, thing.location, strict=True))
        ]
        assert not inside and place.z > 0


def test_a_scene_where_nothing_is_seen_elsewhere_is_seen_from_its_own_camera(scene, pixels):
    camera = pixels.camera()
    camera.data.type = "PERSP"
    pixels.box("Card", (31, 23, 33, 25), distance=2)
    bpy.context.view_layer.update()
    view = CameraSampler(scene, spread=5000.0).sample(np.random.default_rng(0))
    assert (view.matrix.translation - camera.location).length < 2500.0
