# SPDX-License-Identifier: GPL-3.0-or-later
"""Undo takes placements back, never pictures nor what they were made of."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from spade_backdrops.bridge.jobs import SceneRequest
from spade_backdrops.contract.labels import load_label_set
from spade_backdrops.history.parts import DIGEST
from spade_backdrops.history.records import FAVOURITE, record, request_of, results, trim
from spade_backdrops.place.backdrop import backdrop_of, place_backdrop
from spade_backdrops.place.image import generated_images, store_image


@pytest.fixture
def placed(scene, pixels):
    """A scene in which a picture was placed after the last undo step, and the picture's pixels."""
    pixels.camera()
    bpy.ops.ed.undo_push(message="before")
    rgb = np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)
    place_backdrop(scene, store_image(rgb, "Täl", scene, {"seed": 3}))
    bpy.ops.ed.undo_push(message="Place Backdrop")
    return rgb


def pixels_of(image):
    flat = np.empty(image.size[0] * image.size[1] * 4, np.float32)
    image.pixels.foreach_get(flat)
    return np.rint(flat.reshape(image.size[1], image.size[0], 4)[::-1, :, :3] * 255).astype(np.uint8)


def test_undo_leaves_the_picture_in_the_file_and_redo_makes_no_second_one(placed):
    bpy.ops.ed.undo()
    assert backdrop_of(bpy.context.scene, bpy.context.scene.camera) is None
    (image,) = generated_images()
    np.testing.assert_array_equal(pixels_of(image), placed)
    bpy.ops.ed.redo()
    assert len(generated_images()) == 1
    assert backdrop_of(bpy.context.scene, bpy.context.scene.camera) is not None


def test_it_outlives_any_action_after_the_undo_and_can_be_placed_again(placed, tmp_path):
    bpy.ops.ed.undo()
    bpy.ops.mesh.primitive_cube_add()
    bpy.ops.ed.undo_push(message="Add Cube")
    bpy.ops.ed.undo()
    (image,) = generated_images()
    file = str(tmp_path / "kept.blend")
    bpy.ops.wm.save_as_mainfile(filepath=file)
    bpy.ops.wm.open_mainfile(filepath=file)
    (image,) = generated_images()
    np.testing.assert_array_equal(pixels_of(image), placed)
    bpy.ops.spade.place_again(name=image.name)
    assert backdrop_of(bpy.context.scene, bpy.context.scene.camera) is not None


def test_a_picture_that_the_user_deleted_stays_deleted(placed):
    for thing in [thing for thing in bpy.context.scene.objects if "spade_backdrop" in thing]:
        bpy.data.objects.remove(thing)
    bpy.data.images.remove(generated_images()[0])
    bpy.ops.ed.undo_push(message="Delete")
    bpy.ops.mesh.primitive_cube_add()
    bpy.ops.ed.undo_push(message="Add Cube")
    bpy.ops.ed.undo()
    assert not generated_images()


@pytest.fixture
def painted(scene, pixels):
    """A scene in which a result was placed after the last undo step, and its label map."""
    pixels.camera()
    bpy.ops.ed.undo_push(message="before")
    random = np.random.default_rng(1)
    label_map = random.integers(0, 9, (32, 48)).astype(np.uint8)
    rgb = random.integers(0, 256, (32, 48, 3), np.uint8)
    request = SceneRequest(
        label_map, load_label_set("landscape"), "landscape", 3, scene.session_uid, scene.name, "", "Camera"
    )
    picture = store_image(rgb, "Täl", scene, {"seed": 3, "model": "landscape", "camera": "Camera"})
    record(picture, request, rgb)
    picture[FAVOURITE] = True
    place_backdrop(scene, picture)
    bpy.ops.ed.undo_push(message="Place Backdrop")
    return label_map


def test_its_label_map_thumbnail_and_star_come_back_with_it(painted):
    bpy.ops.ed.undo()
    assert backdrop_of(bpy.context.scene, bpy.context.scene.camera) is None
    (picture,) = results()
    np.testing.assert_array_equal(request_of(picture, bpy.context.scene).label_map, painted)
    assert picture[FAVOURITE] and picture.preview.image_size[0] > 0
    bpy.ops.ed.redo()
    assert len(results()) == 1 and len([image for image in bpy.data.images if DIGEST in image]) == 1


def test_a_removed_result_comes_back_by_undo_and_goes_by_redo(painted):
    bpy.ops.spade.take_away()
    bpy.ops.ed.undo_push(message="Take Away")
    bpy.ops.spade.remove_result(name=results()[0].name)
    bpy.ops.ed.undo_push(message="Remove")
    bpy.ops.ed.undo()
    (picture,) = results()
    np.testing.assert_array_equal(request_of(picture, bpy.context.scene).label_map, painted)
    bpy.ops.ed.redo()
    assert not results()
    bpy.ops.ed.undo()
    assert len(results()) == 1


def test_what_the_limit_has_taken_is_not_brought_back_by_a_redo(painted):
    scene = bpy.context.scene
    newer = store_image(np.zeros((32, 48, 3), np.uint8), "Neu", scene, {"seed": 4})
    (older,) = [image for image in results() if image != newer]
    del older[FAVOURITE]
    place_backdrop(scene, newer)
    trim(0)
    bpy.ops.ed.undo_push(message="Place Backdrop")
    assert results() == [newer]
    bpy.ops.ed.undo()
    assert len(results()) == 2, "the older one as it was then, the newer one as no undo may lose it"
    bpy.ops.ed.redo()
    assert [image.name for image in results()] == ["Neu"]
