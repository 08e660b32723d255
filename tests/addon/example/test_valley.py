# SPDX-License-Identifier: GPL-3.0-or-later
"""The example valley, as a newcomer meets it."""

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from spade_backdrops.example.valley import build_valley  # noqa: E402
from spade_backdrops.scene.label_pass import render_label_map  # noqa: E402
from spade_backdrops.scene.label_rules import auto_assign, scene_label_set, unlabelled  # noqa: E402
from spade_backdrops.scene.view import label_map_shape  # noqa: E402


@pytest.fixture
def valley(scene):
    build_valley(scene)
    auto_assign(scene)
    return scene


def test_its_names_label_all_of_it(valley):
    assert unlabelled(valley) == []


def test_its_label_map_is_composed_like_a_landscape_photo(valley):
    height, width = label_map_shape(valley)
    assert abs(width / height - 16 / 9) < 0.06 and width % 32 == height % 32 == 0
    found = render_label_map(valley, (height, width))
    names = {entry.id: entry.name for entry in scene_label_set(valley).classes}
    shares = {names[each]: share for each, share in found.shares.items()}
    assert found.unlabelled_share == 0.0
    assert set(shares) == {
        *("sky", "cloud", "mountain", "snow", "rock", "grass", "bush", "tree", "road", "water", "building"),
    }
    assert 0.12 < shares["sky"] < 0.35 and shares["grass"] > 0.2
    assert all(0.05 < shares[each] < 0.3 for each in ("tree", "mountain", "water"))
    assert all(share > 0.004 for share in shares.values())
    top, bottom = np.split(found.label_map, 2)
    assert names[int(np.bincount(top.ravel()).argmax())] in {"sky", "mountain"}
    assert names[int(np.bincount(bottom.ravel()).argmax())] == "grass"


def test_it_is_the_same_every_time(scene):
    build_valley(scene)
    auto_assign(scene)
    first = render_label_map(scene, (72, 128)).label_map
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    build_valley(bpy.context.scene)
    auto_assign(bpy.context.scene)
    np.testing.assert_array_equal(render_label_map(bpy.context.scene, (72, 128)).label_map, first)


def test_it_leaves_alone_what_was_there(scene, pixels):
    own = pixels.box("Mine", (10, 10, 20, 20))
    scene.world = world = bpy.data.worlds.new("Mine")
    build_valley(scene)
    assert own.name in scene.objects and scene.world == world and scene.camera.name == "Valley camera"
    assert {each.name for each in scene.collection.children} == {"Valley"}


def test_the_startup_cube_makes_room_and_undo_brings_it_back(addon):
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.spade.add_example()
    cube = bpy.data.objects["Cube"]
    assert cube.hide_render and cube.hide_get() and cube not in unlabelled(bpy.context.scene)
    bpy.ops.ed.undo_push(message="Add Example Valley")
    bpy.ops.ed.undo()
    cube = bpy.data.objects["Cube"]
    assert not cube.hide_render and not cube.hide_get()


@pytest.mark.parametrize("change", ("moved", "modified", "labelled", "remodelled"))
def test_a_cube_that_somebody_has_worked_on_stays_as_it_is(addon, change):
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    cube = bpy.data.objects["Cube"]
    if change == "moved":
        cube.location.x = 3.0
    elif change == "modified":
        cube.modifiers.new("Bevel", "BEVEL")
    elif change == "labelled":
        cube["spade_label"] = "rock"
    else:
        cube.data.vertices[0].co.x = -2.0
    bpy.context.view_layer.update()
    bpy.ops.spade.add_example()
    assert not cube.hide_render and not cube.hide_get()
