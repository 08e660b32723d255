# SPDX-License-Identifier: GPL-3.0-or-later
"""What the overlay reads of a scene; what it draws of that is tested with a window."""

import time

import bpy
import numpy as np
import pytest
from spade_backdrops.overlay.shapes import UNMARKED, ShapeReader
from spade_backdrops.properties import settings
from spade_backdrops.scene import label_rules
from spade_backdrops.scene.in_steps import finished
from spade_backdrops.scene.label_overview import overview


@pytest.fixture
def reader():
    return ShapeReader()


def palette(scene) -> dict[int, int]:
    classes = label_rules.scene_label_set(scene).classes
    return {entry.id: place for place, entry in enumerate(classes)}


def place_of(scene, name: str) -> int:
    return palette(scene)[label_rules.scene_label_set(scene).class_named(name).id]


def read(reader, scene):
    bpy.context.view_layer.update()
    return reader.read(bpy.context.evaluated_depsgraph_get(), overview(scene).table, palette(scene))


def test_each_thing_stands_where_it_is_with_its_class(scene, pixels, reader):
    near = pixels.box("Near", (0, 0, 10, 10))
    far = pixels.box("Far", (20, 0, 30, 10))
    far.location = (1, 2, 3)
    label_rules.assign(scene, near, "grass")
    placed = read(reader, scene)
    assert len(placed.shapes) == 2 and all(len(shape.triangles) == 2 for shape in placed.shapes)
    found = {
        tuple(matrix[0][:3, 3]): int(ids[0])
        for matrix, ids in zip(placed.matrices, placed.classes, strict=True)
    }
    assert found == {(0, 0, 0): place_of(scene, "grass"), (1, 2, 3): len(palette(scene))}


def test_instances_share_one_shape_and_inherit_the_class_of_what_shows_them(scene, pixels, reader):
    source = pixels.source_collection("Woods", (0, 0, 4, 4))
    for corner in ((0, 0), (10, 10), (20, 5)):
        host = pixels.instance(source, corner)
        label_rules.assign(scene, host, "tree")
    placed = read(reader, scene)
    assert len(placed.shapes) == 1 and placed.matrices[0].shape == (3, 4, 4)
    assert set(placed.classes[0]) == {place_of(scene, "tree")}


def test_a_labelled_material_goes_before_its_object_surface_by_surface(scene, pixels, reader):
    moss, bare = pixels.material("Moss"), pixels.material("Bare")
    thing = pixels.box("Cliff", (0, 0, 20, 10), materials=(moss, bare))
    label_rules.assign(scene, thing, "rock")
    label_rules.assign(scene, moss, "grass")
    shape = read(reader, scene).shapes[0]
    by_triangle = shape.marks[shape.triangles]
    assert (by_triangle == by_triangle[:, :1]).all(), "no triangle is of two classes"
    assert sorted(set(by_triangle.ravel())) == [UNMARKED, place_of(scene, "grass")]


def test_what_only_moves_is_not_read_again(scene, pixels, reader):
    thing = pixels.box("Stone", (0, 0, 10, 10))
    before = read(reader, scene)
    thing.location.x = 5.0
    after = read(reader, scene)
    assert after.shapes[0] is before.shapes[0] and after.matrices[0][0, 0, 3] == 5.0


def test_backdrops_and_hidden_things_are_not_shown(scene, pixels, reader):
    pixels.box("Backdrop", (0, 0, 10, 10))["spade_backdrop"] = True
    pixels.box("Hidden", (0, 0, 10, 10)).hide_set(True)
    assert read(reader, scene).shapes == []


def test_labels_of_20000_things_are_read_in_time_for_a_view_that_is_used(scene, pixels, reader):
    mesh = pixels.mesh("Stone", (0, 0, 2, 2))
    for number in range(20_000):
        scene.collection.objects.link(bpy.data.objects.new(f"Stone {number}", mesh))
    settings(scene).background_class = "sky"
    read(reader, scene)
    began = time.thread_time()
    placed = read(reader, scene)
    assert sum(len(each) for each in placed.matrices) == 20_000
    assert time.thread_time() - began < 2.0, "0.2 s on a quiet machine"


def test_a_points_order_is_that_of_the_mesh(scene, pixels, reader):
    thing = pixels.box("Stone", (0, 0, 10, 10))
    shape = read(reader, scene).shapes[0]
    np.testing.assert_allclose(shape.points, [vertex.co for vertex in thing.data.vertices])


def test_a_large_scene_is_read_a_little_at_a_time_though_it_changes_meanwhile(scene, pixels, reader):
    mesh = pixels.mesh("Stone", (0, 0, 2, 2))
    for number in range(2_000):
        scene.collection.objects.link(bpy.data.objects.new(f"Stone {number}", mesh))
    bpy.context.view_layer.update()
    table = overview(scene).table
    steps = reader.read_in_steps(bpy.context.evaluated_depsgraph_get, table, palette(scene))
    for _ in range(2):
        next(steps)
    for number in range(1_500):
        bpy.data.objects.remove(bpy.data.objects[f"Stone {number}"])
    pixels.box("New", (0, 0, 10, 10))
    bpy.context.view_layer.update()
    left = finished(steps)
    assert sum(len(each) for each in left.matrices) <= 2_000
    assert sum(len(each) for each in read(reader, scene).matrices) == 501
