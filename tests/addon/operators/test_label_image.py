# SPDX-License-Identifier: GPL-3.0-or-later
"""Painting labels on an image and generating from them, without a window and with a real server."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from spade_backdrops.label_image.brushes import BRUSHES, chosen_color, label_brush
from spade_backdrops.label_image.image import is_label_image, labels_on
from spade_backdrops.preferences import preferences
from spade_backdrops.properties import settings
from spade_backdrops.scene.label_pass import render_label_map
from spade_backdrops.scene.label_rules import scene_label_set
from spade_backdrops.scene.view import label_map_shape
from spade_backdrops.scene.visible import is_backdrop
from spade_backdrops.session import current_session

from tests.addon.serving import command, renew_session


@pytest.fixture(scope="module", autouse=True)
def stored_preferences(addon):
    entry = bpy.context.preferences.addons.new()
    entry.module = "spade_backdrops"
    stored = preferences()
    stored.server, stored.server_command = "LOCAL", command()
    yield stored
    renew_session()
    bpy.context.preferences.addons.remove(entry)


@pytest.fixture
def studio(scene):
    """A camera and nothing to see."""
    scene.camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    scene.collection.objects.link(scene.camera)
    settings(scene).width = settings(scene).height = 128
    current_session().dismiss()
    return scene


def label_images() -> list[bpy.types.Image]:
    return [image for image in bpy.data.images if is_label_image(image)]


def id_of(scene, name: str) -> int:
    return scene_label_set(scene).class_named(name).id


def paint(image: bpy.types.Image, rows: slice, rgb: tuple[int, int, int]) -> None:
    """Fill rows, counted from the top, with a colour."""
    flat = np.empty(image.size[0] * image.size[1] * 4, np.float32)
    image.pixels.foreach_get(flat)
    pixels = flat.reshape(image.size[1], image.size[0], 4)
    pixels[::-1][rows] = (*(part / 255 for part in rgb), 1.0)
    image.pixels.foreach_set(pixels.ravel())
    image.update()


def test_the_scenes_labels_become_an_image_and_come_back_unchanged(yard):
    bpy.ops.spade.paint_labels()
    image = label_images()[0]
    seen = render_label_map(yard, label_map_shape(yard)).label_map
    assert tuple(image.size) == seen.shape[::-1] and image.packed_file is not None
    np.testing.assert_array_equal(labels_on(image, scene_label_set(yard)).label_map, seen)


def test_taking_the_scenes_labels_again_can_write_over_the_same_image(yard):
    bpy.ops.spade.paint_labels()
    name = label_images()[0].name
    bpy.context.tool_settings.image_paint.canvas = label_images()[0]
    settings(yard).width = 256
    bpy.ops.spade.paint_labels(image=name)
    image = label_images()[0]
    assert label_images() == [image] == [bpy.context.tool_settings.image_paint.canvas]
    assert image.name == name and tuple(image.size) == label_map_shape(yard)[::-1]
    seen = render_label_map(yard, label_map_shape(yard)).label_map
    np.testing.assert_array_equal(labels_on(image, scene_label_set(yard)).label_map, seen)


def test_a_painted_map_makes_a_picture_of_its_own_size_without_any_block(studio):
    bpy.ops.spade.new_label_image(width=160, height=96)
    image = label_images()[0]
    paint(image, slice(48, None), scene_label_set(studio).class_named("water").rgb)
    assert bpy.ops.spade.generate_painted() == {"FINISHED"}
    asked = current_session().board.last_placed.request
    assert asked.label_map.shape == (96, 160)
    assert (asked.label_map[:48] == id_of(studio, "sky")).all()
    assert (asked.label_map[48:] == id_of(studio, "water")).all()
    assert current_session().board.last_placed.rgb.shape == (96, 160, 3)
    assert any(is_backdrop(thing) for thing in studio.objects)


def test_an_empty_map_has_the_cameras_size_unless_told_otherwise(studio):
    bpy.ops.spade.new_label_image()
    assert tuple(label_images()[0].size) == label_map_shape(studio)[::-1]


def test_any_size_and_any_image_in_the_colours_of_the_classes_will_do(studio):
    image = bpy.data.images.new("Eigenes 谷", 75, 41)
    paint(image, slice(None), scene_label_set(studio).class_named("grass").rgb)
    assert bpy.ops.spade.generate_painted(image=image.name) == {"FINISHED"}
    assert current_session().board.last_placed.rgb.shape == (41, 75, 3)


def test_an_image_that_is_no_label_map_is_one_sentence(studio):
    image = bpy.data.images.new("Photo", 64, 64)
    image.pixels.foreach_set(np.random.default_rng(2).random(64 * 64 * 4, np.float32))
    with pytest.raises(RuntimeError, match="no label map"):
        bpy.ops.spade.generate_painted(image="Photo")


def test_which_image_is_meant_has_to_be_clear(studio):
    with pytest.raises(RuntimeError, match="no label image"):
        bpy.ops.spade.generate_painted()
    bpy.ops.spade.new_label_image()
    bpy.ops.spade.new_label_image()
    with pytest.raises(RuntimeError, match="several"):
        bpy.ops.spade.generate_painted()


def test_what_was_painted_is_saved_with_the_file(studio, tmp_path):
    bpy.ops.spade.new_label_image(width=64, height=64)
    image = label_images()[0]
    paint(image, slice(None), scene_label_set(studio).class_named("rock").rgb)
    file = str(tmp_path / "gemalt 谷.blend")
    bpy.ops.wm.save_as_mainfile(filepath=file)
    bpy.ops.wm.open_mainfile(filepath=file)
    scene = bpy.context.scene
    found = labels_on(label_images()[0], scene_label_set(scene))
    assert (found.label_map == id_of(scene, "rock")).all() and found.strange == 0.0


def test_each_class_is_painted_in_exactly_its_colour(studio):
    bpy.ops.spade.new_label_image()
    label_set = scene_label_set(studio)
    assert len(bpy.context.tool_settings.image_paint.palette.colors) == len(label_set.classes)
    for entry in label_set.classes:
        bpy.ops.spade.paint_class(class_name=entry.name)
        assert chosen_color(bpy.context) == entry.rgb


@pytest.mark.parametrize("tool", BRUSHES)
def test_the_brushes_leave_no_colour_between_two_classes(studio, tool):
    label_brush(tool).strength = 0.3
    label_brush(tool).use_paint_antialiasing = True
    bpy.ops.spade.label_tool(tool=tool)
    brush = label_brush(tool)
    assert brush.strength == 1.0 and brush.blend == "MIX" and brush.fill_threshold == 0.0
    assert not (brush.use_paint_antialiasing or brush.use_pressure_strength or brush.use_space_attenuation)
