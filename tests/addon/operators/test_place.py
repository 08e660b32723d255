# SPDX-License-Identifier: GPL-3.0-or-later
"""Seeing what was placed, in the viewport."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from spade_backdrops.place.backdrop import place_backdrop
from spade_backdrops.place.image import store_image
from spade_backdrops.place.viewport import look_at_blocks, look_at_picture, shows_pictures


@pytest.fixture
def camera(scene) -> bpy.types.Object:
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    scene.collection.objects.link(camera)
    scene.camera = camera
    return camera


def placed(scene) -> bpy.types.Object:
    image = store_image(np.zeros((32, 32, 3), np.uint8), "Backdrop", scene, {})
    return place_backdrop(scene, image)


@pytest.mark.parametrize(("near", "far"), [(0.1, 5000.0), (0.1, 1000.0), (0.1, 100.0), (1.0, 50_000.0)])
def test_a_view_draws_the_backdrop_of_a_camera_that_sees_far(scene, camera, near, far):
    camera.data.clip_start, camera.data.clip_end = near, far
    backdrop = placed(scene)
    bpy.context.view_layer.update()
    distance = -(camera.matrix_world.inverted() @ backdrop.matrix_world.translation).z
    # what the depth buffer counts from the plane to its end; below one step it would be as far as nothing
    steps = 2**24 * (1 - far / (far - near) * (1 - near / distance))
    assert steps > 2
    assert 0.97 < distance / far < 1


def a_view() -> bpy.types.SpaceView3D:
    return next(
        space
        for screen in bpy.data.screens
        for area in screen.areas
        for space in area.spaces
        if space.type == "VIEW_3D"
    )


@pytest.mark.parametrize(
    ("shading", "color", "hidden"),
    [
        ("SOLID", "MATERIAL", True),
        ("SOLID", "TEXTURE", False),
        ("WIREFRAME", "MATERIAL", True),
        ("MATERIAL", "MATERIAL", False),
        ("RENDERED", "MATERIAL", False),
    ],
)
def test_a_view_that_shows_no_pictures_is_told_from_one_that_does(scene, camera, shading, color, hidden):
    view = a_view()
    view.shading.type, view.shading.color_type = shading, color
    assert shows_pictures(view, scene) is not hidden
    look_at_picture(view, scene)
    assert shows_pictures(view, scene)


def test_a_view_of_a_picture_sees_as_far_as_the_camera_and_farther_if_it_did(scene, camera):
    view = a_view()
    for camera.data.clip_end, own, seen in ((5000.0, 1000.0, 5000.0), (100.0, 1000.0, 1000.0)):
        view.clip_end = own
        look_at_picture(view, scene)
        assert view.clip_end == seen


def test_the_grid_is_not_drawn_over_a_picture_and_comes_back_with_the_blocks(scene, camera, tmp_path):
    view = a_view()
    view.overlay.show_floor, view.overlay.show_axis_x, view.overlay.show_axis_y = True, True, False
    for _ in range(2):  # also when the picture is shown a second time
        look_at_picture(view, scene)
        assert not view.overlay.show_floor and not view.overlay.show_axis_x
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shown.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shown.blend"), load_ui=True)
    view = a_view()
    assert not view.overlay.show_floor
    look_at_blocks(view)
    assert view.overlay.show_floor and view.overlay.show_axis_x and not view.overlay.show_axis_y
