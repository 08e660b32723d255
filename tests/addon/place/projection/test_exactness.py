# SPDX-License-Identifier: GPL-3.0-or-later
"""Through the camera that it was painted for, a projected picture is on the blocks as it is, to the pixel."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from spade_backdrops.scene.label_pass import render_label_map
from spade_backdrops.scene.other_view import OtherView
from spade_backdrops.scene.projector import projector_of

from tests.addon.place.projection import court


def plain(scene, camera) -> None:
    """As it stands."""


def shifted(scene, camera) -> None:
    camera.data.shift_x, camera.data.shift_y = 0.2, -0.1


def upright_sensor(scene, camera) -> None:
    camera.data.sensor_fit, camera.data.sensor_height = "VERTICAL", 20


def oblong_pixels(scene, camera) -> None:
    scene.render.pixel_aspect_y = 1.7


def flat(scene, camera) -> None:
    camera.data.type, camera.data.ortho_scale, camera.data.shift_x = "ORTHO", 14, 0.1


def scaled(scene, camera) -> None:
    """A camera sees as if it had no scale; its own coordinates have it."""
    camera.scale = (1, 2, 3)


@pytest.mark.parametrize("how", [plain, shifted, upright_sensor, oblong_pixels, flat, scaled])
def test_not_one_pixel_differs(scene, camera, tmp_path, how):
    how(scene, camera)
    bpy.context.view_layer.update()
    picture = court.noise()
    court.project(scene, picture)
    surfaces = render_label_map(scene, picture.shape[:2]).depth < 1e9
    seen = court.rendered(scene, tmp_path)
    assert surfaces.mean() > 0.3
    np.testing.assert_array_equal(seen[surfaces], picture[surfaces])


@pytest.mark.parametrize("how", [shifted, oblong_pixels, flat])
def test_a_wider_frame_shows_the_same_where_its_projector_says(scene, camera, how):
    how(scene, camera)
    bpy.context.view_layer.update()
    shape, widen = (court.HEIGHT, court.WIDTH), 1.36
    own, wide = (render_label_map(scene, shape, view=OtherView(widen=each)) for each in (1.0, widen))
    assert scene.camera == camera and len(bpy.data.cameras) == 1
    points, rows, columns = court.points(projector_of(scene, camera), own.depth)
    places, _ = projector_of(scene, camera, widen).seen(points)
    column, row = np.floor(places * (court.WIDTH, court.HEIGHT)).astype(int).T
    assert column.min() > 0 and column.max() < court.WIDTH - 1, "all that was seen is inside"
    same = wide.label_map[court.HEIGHT - 1 - row, column] == own.label_map[rows, columns]
    assert same.mean() > 0.97, "but for pixels along borders"
    far = wide.depth[court.HEIGHT - 1 - row, column] / own.depth[rows, columns]
    assert np.median(np.abs(far - 1)) < 0.02


def test_with_linear_interpolation_hardly_a_byte_differs(scene, camera, tmp_path):
    picture = court.noise()
    court.project(scene, picture, interpolation="Linear")
    surfaces = render_label_map(scene, picture.shape[:2]).depth < 1e9
    assert np.abs(court.rendered(scene, tmp_path)[surfaces] - picture[surfaces]).max() <= 1


def test_the_view_and_the_exposure_are_undone(scene, camera, tmp_path):
    """A grey that AgX can show comes through it as it was painted."""
    scene.view_settings.view_transform, scene.view_settings.exposure = "AgX", 1.5
    picture = np.full((court.HEIGHT, court.WIDTH, 3), (120, 140, 90), np.uint8)
    court.project(scene, picture)
    surfaces = render_label_map(scene, picture.shape[:2]).depth < 1e9
    assert np.abs(court.rendered(scene, tmp_path)[surfaces] - (120, 140, 90)).max() <= 2


def test_the_paint_stays_on_the_walls_when_the_camera_moves(scene, camera, tmp_path):
    picture = court.noise()
    court.project(scene, picture)
    before = projector_of(scene, camera)
    camera.location.x += 1.0
    bpy.context.view_layer.update()
    depth = render_label_map(scene, picture.shape[:2]).depth
    seen = court.rendered(scene, tmp_path)
    points, rows, columns = court.points(projector_of(scene, camera), depth)
    places, _ = before.seen(points)
    column, row = np.floor(places * (court.WIDTH, court.HEIGHT)).astype(int).T
    # Away from the borders of texels, where rounding decides, and from what the first camera did not see.
    inside = np.abs(places * (court.WIDTH, court.HEIGHT) % 1 - 0.5).max(axis=1) < 0.4
    inside &= (column >= 0) & (column < court.WIDTH) & (row >= 0) & (row < court.HEIGHT)
    inside[inside] = court.are_reached(before.place, points[inside])
    assert inside.mean() > 0.3
    expected = picture[court.HEIGHT - 1 - row[inside], column[inside]]
    same = (seen[rows[inside], columns[inside]] == expected).all(axis=1)
    assert same.mean() > 0.995, "but for the borders of what stands in front"


@pytest.mark.slow
@pytest.mark.timeout(280)
def test_eevee_shows_the_same(scene, camera, tmp_path):
    picture = court.noise()
    court.project(scene, picture)
    surfaces = render_label_map(scene, picture.shape[:2]).depth < 1e9
    court.render_exactly_with_eevee(scene)
    seen = court.rendered(scene, tmp_path)
    differing = (np.abs(seen[surfaces] - picture[surfaces]) > 1).any(axis=1)
    assert differing.mean() < 0.002, "what is off lies where a border crosses a pixel's centre"
