# SPDX-License-Identifier: GPL-3.0-or-later
"""Show: blocks, picture, or both; and nothing of what the user hides or shows is lost."""

from __future__ import annotations

import time

import bpy
import numpy as np
import pytest
from spade_backdrops.contract.errors import BlocksHiddenError
from spade_backdrops.place.backdrop import backdrop_of, place_backdrop
from spade_backdrops.place.image import store_image
from spade_backdrops.place.show import show
from spade_backdrops.properties import settings
from spade_backdrops.scene.label_pass import render_label_map
from spade_backdrops.scene.label_rules import assign

SHAPE = (48, 64)
HIDDEN, SHOWN = (True, True), (False, False)


@pytest.fixture
def blockout(scene, pixels):
    """Labelled things, one of them hidden in views by the user, and one without a label, before a backdrop."""
    pixels.camera()
    collection = bpy.data.collections.new("Blockout")
    scene.collection.children.link(collection)
    for name, rectangle, label in (
        ("Meadow", (0, 24, 64, 48), "grass"),
        ("Rock", (10, 10, 20, 20), "rock"),
        ("Balloon", (40, 5, 50, 15), None),
    ):
        thing = pixels.box(name, rectangle)
        scene.collection.objects.unlink(thing)
        collection.objects.link(thing)
        if label:
            assign(scene, thing, label)
    bpy.data.objects["Rock"].hide_viewport = True
    place_backdrop(scene, store_image(np.zeros((*SHAPE, 3), np.uint8), "Backdrop", scene, {}))
    return scene


def flags(name):
    thing = bpy.data.objects[name]
    return thing.hide_viewport, thing.hide_render


def backdrop_flags():
    backdrop = backdrop_of(bpy.context.scene, bpy.context.scene.camera)
    return backdrop.hide_viewport, backdrop.hide_render


def test_blocks_picture_and_both(blockout):
    bpy.ops.spade.show(what="PICTURE")
    assert flags("Meadow") == flags("Rock") == HIDDEN and flags("Balloon") == SHOWN
    assert backdrop_flags() == SHOWN
    bpy.ops.spade.show(what="BLOCKS")
    assert flags("Meadow") == SHOWN and flags("Rock") == (True, False) and backdrop_flags() == HIDDEN
    bpy.ops.spade.show(what="BOTH")
    assert flags("Meadow") == SHOWN and backdrop_flags() == SHOWN


def test_ten_thousand_blocks_are_hidden_and_shown_in_a_moment(scene, pixels):
    mesh = pixels.box("Stone", (0, 0, 9, 9)).data
    rocks = bpy.data.collections.new("Rocks")
    scene.collection.children.link(rocks)
    for _ in range(10_000):
        rocks.objects.link(bpy.data.objects.new("Stone", mesh))
    assign(scene, rocks, "rock")
    bpy.context.view_layer.update()
    for what, hidden in (("PICTURE", True), ("BOTH", False)):
        began = time.monotonic()
        show(scene, what)
        assert time.monotonic() - began < 1
        bpy.context.view_layer.update()
        assert all(thing.visible_get() is not hidden for thing in rocks.objects)


def test_lamps_and_cameras_in_labelled_collections_stay(blockout):
    assign(blockout, bpy.data.collections["Blockout"], "grass")
    lamp = bpy.data.objects.new("Lamp", bpy.data.lights.new("Lamp", "SUN"))
    bpy.data.collections["Blockout"].objects.link(lamp)
    bpy.ops.spade.show(what="PICTURE")
    assert flags("Lamp") == SHOWN and flags("Balloon") == HIDDEN


def test_what_is_labelled_by_its_material_is_a_block(blockout, pixels):
    material = pixels.material("Snow")
    assign(blockout, material, "snow")
    pixels.box("Peak", (0, 0, 9, 9), materials=(material,))
    bpy.ops.spade.show(what="PICTURE")
    assert flags("Peak") == HIDDEN


def test_the_label_pass_sees_hidden_blocks_as_the_user_shows_them(blockout):
    before = render_label_map(blockout, SHAPE).label_map
    bpy.ops.spade.show(what="PICTURE")
    np.testing.assert_array_equal(render_label_map(blockout, SHAPE).label_map, before)
    assert flags("Meadow") == flags("Rock") == HIDDEN, "and they are hidden again"


def test_the_state_survives_saving_and_loading(blockout, tmp_path):
    bpy.ops.spade.show(what="PICTURE")
    file = str(tmp_path / "谷.blend")
    bpy.ops.wm.save_as_mainfile(filepath=file)
    bpy.ops.wm.open_mainfile(filepath=file)
    assert flags("Meadow") == HIDDEN and settings(bpy.context.scene).show == "PICTURE"
    bpy.ops.spade.show(what="BOTH")
    assert flags("Meadow") == SHOWN and flags("Rock") == (True, False)


def test_the_state_goes_with_undo_and_redo(blockout):
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.spade.show(what="PICTURE")
    bpy.ops.ed.undo_push(message="Show")
    bpy.ops.ed.undo()
    assert flags("Meadow") == SHOWN and settings(bpy.context.scene).show == "BOTH"
    bpy.ops.ed.redo()
    assert flags("Meadow") == HIDDEN and settings(bpy.context.scene).show == "PICTURE"


def test_blocks_whose_collection_is_hidden_in_renders_by_hand_are_still_labelled(blockout):
    before = render_label_map(blockout, SHAPE).label_map
    collection = bpy.data.collections["Blockout"]
    collection.hide_render = True
    np.testing.assert_array_equal(render_label_map(blockout, SHAPE).label_map, before)
    assert collection.hide_render


def test_where_all_is_hidden_the_advice_is_to_show_it(blockout):
    collection = bpy.data.collections["Blockout"]
    collection.hide_render = collection.hide_viewport = True
    with pytest.raises(BlocksHiddenError, match="hidden"):
        render_label_map(blockout, SHAPE)


def test_sources_of_scattered_things_are_hidden_with_them(scene, pixels):
    source = bpy.data.collections.new("Trees")
    tree = pixels.box("Tree", (0, 0, 20, 20))
    scene.collection.objects.unlink(tree)
    source.objects.link(tree)
    empty = bpy.data.objects.new("Forest", None)
    empty.instance_type, empty.instance_collection = "COLLECTION", source
    scene.collection.objects.link(empty)
    assign(scene, source, "tree")
    bpy.ops.spade.show(what="PICTURE")
    assert flags("Tree") == HIDDEN
    graph = bpy.context.evaluated_depsgraph_get()
    assert not [each for each in graph.object_instances if each.object.name == "Tree"]


def test_a_host_that_scatters_a_labelled_object_is_hidden_with_it(scene, pixels):
    pixels.camera()
    pine = pixels.box("Pine", (0, 0, 10, 10))
    pine.hide_viewport = True
    assign(scene, pine, "tree")
    points = bpy.data.meshes.new("Points")
    points.from_pydata([(-20, 0, 8), (15, 0, 8)], [], [])
    host = bpy.data.objects.new("Scatter", points)
    scene.collection.objects.link(host)
    group = bpy.data.node_groups.new("Scatter", "GeometryNodeTree")
    for way in ("INPUT", "OUTPUT"):
        group.interface.new_socket("Geometry", in_out=way, socket_type="NodeSocketGeometry")
    come, leave, source, scatter = (
        group.nodes.new(kind)
        for kind in (
            "NodeGroupInput",
            "NodeGroupOutput",
            "GeometryNodeObjectInfo",
            "GeometryNodeInstanceOnPoints",
        )
    )
    source.inputs["Object"].default_value = pine
    source.inputs["As Instance"].default_value = True
    group.links.new(come.outputs[0], scatter.inputs["Points"])
    group.links.new(source.outputs["Geometry"], scatter.inputs["Instance"])
    group.links.new(scatter.outputs["Instances"], leave.inputs[0])
    host.modifiers.new("Scatter", "NODES").node_group = group
    before = render_label_map(scene, SHAPE).label_map
    bpy.ops.spade.show(what="PICTURE")
    assert flags("Scatter") == HIDDEN
    np.testing.assert_array_equal(render_label_map(scene, SHAPE).label_map, before)
    bpy.ops.spade.show(what="BOTH")
    assert flags("Scatter") == SHOWN and flags("Pine") == (True, False)
