# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures on a backdrop or as the camera's background; what users made there is as it was when they go."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from spade_backdrops.history.records import results
from spade_backdrops.place.backdrop import backdrops
from spade_backdrops.place.camera_background import background_of
from spade_backdrops.place.caveats import caveats
from spade_backdrops.place.image import store_image
from spade_backdrops.place.placement import place, placed_picture
from spade_backdrops.properties import settings
from spade_backdrops.session import current_session

from tests.addon.drawing import drawn


@pytest.fixture
def camera(scene, pixels) -> bpy.types.Object:
    camera = pixels.camera()
    bpy.context.view_layer.update()
    return camera


def picture(scene, shade=90) -> bpy.types.Image:
    return store_image(np.full((36, 64, 3), shade, np.uint8), "Bild", scene, {"seed": shade})


def as_background(scene) -> bpy.types.Image:
    settings(scene).placement = "BACKGROUND_IMAGE"
    image = picture(scene)
    place(scene, image)
    return image


def test_the_cameras_background_fills_its_frame(scene, camera):
    image = as_background(scene)
    (background,) = camera.data.background_images
    assert background.image == image and background.frame_method == "STRETCH"
    assert camera.data.show_background_images and background.show_background_image
    assert background.alpha == 1 and background.display_depth == "BACK" and not backdrops(scene)
    assert image.colorspace_settings.name == "sRGB", "backgrounds are drawn past the scene's view"


def test_another_picture_takes_its_place_and_keeps_opacity_and_depth(scene, camera):
    as_background(scene)
    background_of(camera).alpha, background_of(camera).display_depth = 0.5, "FRONT"
    other = picture(scene, 10)
    place(scene, other)
    (background,) = camera.data.background_images
    assert (background.image, background.alpha, background.display_depth) == (other, 0.5, "FRONT")


@pytest.mark.parametrize("are_shown", [True, False])
def test_the_cameras_own_backgrounds_stay_and_are_as_they_were(scene, camera, are_shown):
    blueprint = bpy.data.images.new("Plan", 8, 8)
    for is_shown in (True, False):
        own = camera.data.background_images.new()
        own.image, own.alpha, own.show_background_image = blueprint, 0.3, is_shown
    camera.data.show_background_images = are_shown
    as_background(scene)
    shown = [each.show_background_image for each in camera.data.background_images]
    assert shown == [are_shown, False, True] and camera.data.show_background_images
    bpy.ops.spade.take_away()
    assert [each.show_background_image for each in camera.data.background_images] == [True, False]
    assert [each.image for each in camera.data.background_images] == [blueprint] * 2
    assert camera.data.show_background_images is are_shown and not camera.data.keys()


def test_switching_keeps_the_picture_and_leaves_nothing_of_the_other_way(scene, camera):
    image = picture(scene)
    place(scene, image)
    for placement, planes, backgrounds in (
        ("BACKGROUND_IMAGE", 0, 1),
        ("BACKDROP", 1, 0),
        ("BACKGROUND_IMAGE", 0, 1),
    ):
        bpy.ops.spade.place_as(placement=placement)
        assert placed_picture(scene, camera) == image and settings(scene).placement == placement
        assert len(backdrops(scene)) == planes and len(camera.data.background_images) == backgrounds


def test_every_cameras_picture_is_switched(scene, camera):
    other = bpy.data.objects.new("Other", bpy.data.cameras.new("Other"))
    scene.collection.objects.link(other)
    first, second = picture(scene, 1), picture(scene, 2)
    place(scene, first)
    place(scene, second, other)
    bpy.ops.spade.place_as(placement="BACKGROUND_IMAGE")
    assert (background_of(camera).image, background_of(other).image) == (first, second)


def test_show_hides_and_shows_the_background(scene, camera):
    as_background(scene)
    for what, is_shown in (("BLOCKS", False), ("PICTURE", True), ("BOTH", True)):
        bpy.ops.spade.show(what=what)
        assert background_of(camera).show_background_image is is_shown


def test_it_is_said_that_renders_do_not_show_a_background(scene, camera):
    as_background(scene)
    assert any("not in renders" in each for each in caveats(scene))
    bpy.ops.spade.place_as(placement="BACKDROP")
    assert not any("not in renders" in each for each in caveats(scene))


def test_taking_the_picture_away_brings_the_blocks_back(scene, camera):
    bpy.ops.mesh.primitive_cube_add()
    bpy.ops.spade.assign_label(kind="OBJECT", class_name="rock")
    block = bpy.context.object
    place(scene, picture(scene))
    bpy.ops.spade.show(what="PICTURE")
    assert block.hide_render
    bpy.ops.spade.take_away()
    assert not block.hide_render and placed_picture(scene, camera) is None and results()


def test_a_file_that_is_opened_again_says_that_its_picture_is_there(scene, camera, tmp_path):
    as_background(scene)
    file = str(tmp_path / "again.blend")
    bpy.ops.wm.save_as_mainfile(filepath=file)
    bpy.ops.wm.open_mainfile(filepath=file)
    current_session().dismiss()
    assert "The picture of this camera is there." in " ".join(drawn("SPADE_PT_backdrop"))


def test_it_goes_with_undo_save_and_load(scene, camera, tmp_path):
    bpy.ops.ed.undo_push(message="before")
    as_background(scene)
    bpy.ops.ed.undo_push(message="Place")
    bpy.ops.ed.undo()
    assert not bpy.context.scene.camera.data.background_images
    bpy.ops.ed.redo()
    assert background_of(bpy.context.scene.camera) is not None
    file = str(tmp_path / "b.blend")
    bpy.ops.wm.save_as_mainfile(filepath=file)
    bpy.ops.wm.open_mainfile(filepath=file)
    assert background_of(bpy.context.scene.camera).image.name == "Bild"
    bpy.ops.spade.take_away()
    assert not bpy.context.scene.camera.data.background_images


def test_a_linked_camera_keeps_its_picture_and_says_why(scene, camera, tmp_path):
    file = str(tmp_path / "camera.blend")
    bpy.data.libraries.write(file, {camera})
    bpy.data.objects.remove(camera)
    with bpy.data.libraries.load(file, link=True) as (_, wanted):
        wanted.objects = ["Camera"]
    scene.collection.objects.link(wanted.objects[0])
    scene.camera = wanted.objects[0]
    bpy.context.view_layer.update()
    image = picture(scene)
    place(scene, image)
    with pytest.raises(RuntimeError, match="is linked"):
        bpy.ops.spade.place_as(placement="BACKGROUND_IMAGE")
    assert placed_picture(scene, scene.camera) == image and len(backdrops(scene)) == 1
    assert settings(scene).placement == "BACKDROP"


def test_the_panel_offers_what_there_is_and_the_backgrounds_own_settings(scene, camera):
    assert drawn("SPADE_PT_placement") == [
        *("Backdrop", "Camera", "Projection", "Panorama", "Layers", "Tile", "Take Away")
    ]
    as_background(scene)
    assert "Opacity" in drawn("SPADE_PT_placement")
    settings(scene).placement = "PROJECTION"
    offered = ["Project from View", "Fill What Is Hidden", "Bake to Textures", "Remove Projections"]
    assert [text for text in drawn("SPADE_PT_placement") if text in offered] == offered
