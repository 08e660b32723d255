# SPDX-License-Identifier: GPL-3.0-or-later
"""What the sidebar shows of labels: right after every change, and worked out once."""

import time

import pytest

bpy = pytest.importorskip("bpy")

from spade_backdrops.properties import settings  # noqa: E402
from spade_backdrops.scene import label_overview  # noqa: E402
from spade_backdrops.scene.label_overview import overview  # noqa: E402
from spade_backdrops.scene.label_rules import assign, unlabelled  # noqa: E402

from tests.addon.drawing import drawn  # noqa: E402

RECTANGLE = (10, 10, 20, 20)


@pytest.fixture
def things(scene, pixels):
    return [pixels.box(f"Thing {index}", RECTANGLE, materials=(pixels.material("M"),)) for index in range(3)]


def label(scene, things):
    assign(scene, things[0], "rock")


def label_by_another_program(scene, things):
    things[0]["spade_label"] = "rock"
    things[0].update_tag()


def label_a_material_by_another_program(scene, things):
    things[0].material_slots[0].material["spade_label"] = "rock"
    things[0].material_slots[0].material.update_tag()


def remove_a_material(scene, things):
    stuff = things[0].material_slots[0].material
    assign(scene, stuff, "sand")
    overview(scene)
    bpy.data.materials.remove(stuff)


def hide(scene, things):
    things[0].hide_render = True


def rename(scene, things):
    things[0].name = "Other"


def delete(scene, things):
    bpy.data.objects.remove(things[0])


def take_out_all(scene, things):
    for thing in things:
        scene.collection.objects.unlink(thing)


def exclude(scene, things):
    group = bpy.data.collections.new("G")
    scene.collection.children.link(group)
    group.objects.link(things[0])
    scene.collection.objects.unlink(things[0])
    scene.view_layers[0].layer_collection.children["G"].exclude = True


def give_a_material(scene, things):
    stuff = bpy.data.materials.new("Stuff")
    assign(scene, stuff, "sand")
    things[0].material_slots[0].material = stuff


def repaint_faces(scene, things):
    stuff = bpy.data.materials.new("Stuff")
    assign(scene, stuff, "sand")
    mesh = things[0].data
    mesh.materials.append(stuff)
    mesh.polygons.foreach_set("material_index", [1] * len(mesh.polygons))
    mesh.update()


def change_the_label_set(scene, things):
    assign(scene, things[0], "waterfall")
    overview(scene)
    settings(scene).label_set = "cityscapes"


CHANGES = (
    *(label, label_by_another_program, label_a_material_by_another_program, hide, rename, delete),
    *(take_out_all, exclude, give_a_material, repaint_faces, change_the_label_set, remove_a_material),
)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_the_list_is_right_after_a_change(scene, things, change):
    assert overview(scene).unlabelled == things
    change(scene, things)
    assert [thing.name for thing in overview(scene).unlabelled] == [thing.name for thing in unlabelled(scene)]


def test_the_list_is_right_after_undo_and_in_another_file(scene, things):
    bpy.ops.ed.undo_push(message="before")
    assign(scene, things[0], "rock")
    bpy.ops.ed.undo_push(message="labelled")
    assert len(overview(scene).unlabelled) == 2
    bpy.ops.ed.undo()
    assert len(overview(bpy.context.scene).unlabelled) == 3
    bpy.ops.ed.redo()
    assert len(overview(bpy.context.scene).unlabelled) == 2
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    assert overview(bpy.context.scene).unlabelled == []


def test_moving_selecting_and_colouring_things_works_nothing_out_anew(scene, things):
    before = overview(scene)
    things[0].location.x += 1
    assert overview(scene) is before
    things[1].select_set(True)
    assert overview(scene) is before
    things[0].material_slots[0].material.diffuse_color = (1, 0, 0, 1)
    assert overview(scene) is before
    label(scene, things)
    assert overview(scene) is not before


def many(scene, pixels) -> None:
    mesh = pixels.mesh("Blob", RECTANGLE)
    for index in range(20_000):
        scene.collection.objects.link(bpy.data.objects.new(f"Blob {index}", mesh))
    bpy.context.view_layer.update()


def test_ten_times_as_many_selected_objects_take_about_ten_times_as_long(scene, pixels):
    """A step that looks at every thing for every thing would take a hundred times as long."""
    many(scene, pixels)
    for thing in scene.collection.objects:
        rule = settings(scene).rules.add()  # as in an older file
        rule.object, rule.class_name = thing, "tree"
    seconds = []
    for count in (500, 5000):
        for thing in scene.collection.objects[:count]:
            thing.select_set(True)
        start = time.process_time()
        bpy.ops.spade.assign_label(kind="OBJECT", class_name="bush")
        seconds.append(time.process_time() - start)
        assert f"{count} objects" in drawn("SPADE_PT_labels")
    assert seconds[1] < 40 * max(seconds[0], 0.01)


def test_the_sidebar_is_drawn_again_without_looking_at_the_scene_again(scene, pixels):
    many(scene, pixels)
    start = time.process_time()
    drawn("SPADE_PT_labels")
    first = time.process_time() - start
    start = time.process_time()
    for _ in range(10):
        drawn("SPADE_PT_labels")
    assert (time.process_time() - start) / 10 < first / 4


def test_a_large_scene_is_looked_through_in_slices_and_a_change_begins_anew(scene, monkeypatch):
    mesh = bpy.data.meshes.new("Blob")
    mesh.from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
    things = [bpy.data.objects.new(f"Blob.{number}", mesh) for number in range(2000)]
    for thing in things:
        scene.collection.objects.link(thing)
    bpy.context.view_layer.update()
    monkeypatch.setattr(label_overview, "SLICE_S", 1e-6)
    label_overview.forget()
    slices, begun = 0, label_overview.begin(scene)
    while not label_overview.work(begun):
        slices += 1
        if slices == 5:
            bpy.data.objects.remove(things.pop())
            bpy.context.view_layer.update()
            begun = label_overview.begin(scene)
    assert slices > 15
    assert set(overview(scene).unlabelled) == set(things)
