# SPDX-License-Identifier: GPL-3.0-or-later
"""Undo takes placements back, never pictures."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
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
