# SPDX-License-Identifier: GPL-3.0-or-later
"""Label rules: giving them, what they survive, and what automatic assignment makes of names."""

import pytest

bpy = pytest.importorskip("bpy")

from spade_backdrops.contract.errors import BadLabelError, BadLabelSetError  # noqa: E402
from spade_backdrops.properties import settings  # noqa: E402
from spade_backdrops.scene.label_rules import (  # noqa: E402
    assign,
    auto_assign,
    effective_label,
    label_of,
    scene_label_set,
    unlabelled,
)

RECTANGLE = (10, 10, 20, 20)


def given(assignments):
    return {(each.kind, each.target.name): each.class_name for each in assignments}


def test_a_label_can_be_given_changed_and_taken_away(scene, pixels):
    thing, stuff, group = pixels.box("A", RECTANGLE), pixels.material("B"), pixels.collection("C")
    for target in (thing, stuff, group):
        assert label_of(scene, target) is None
        assign(scene, target, "rock")
        assign(scene, target, "Grass")
        assert label_of(scene, target) == "grass"
    assert [rule.kind for rule in settings(scene).rules] == ["OBJECT", "MATERIAL", "COLLECTION"]
    assign(scene, stuff, None)
    assert label_of(scene, stuff) is None and len(settings(scene).rules) == 2


def test_a_class_the_set_does_not_have_is_refused_with_those_it_has(scene, pixels):
    with pytest.raises(BadLabelError) as raised:
        assign(scene, pixels.box("A", RECTANGLE), "spaceship")
    assert "spaceship" in raised.value.message and "mountain" in raised.value.fix
    assert not settings(scene).rules


def test_labels_survive_renaming_saving_and_loading(scene, pixels, tmp_path):
    thing, stuff, group = pixels.box("A", RECTANGLE), pixels.material("B"), pixels.collection("C")
    for target, name in ((thing, "rock"), (stuff, "sand"), (group, "tree")):
        assign(scene, target, name)
        target.name = f"{target.name} é 谷"
    stuff.use_fake_user = True
    path = str(tmp_path / "Täler.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    scene = bpy.context.scene
    assert label_of(scene, bpy.data.objects["A é 谷"]) == "rock"
    assert label_of(scene, bpy.data.materials["B é 谷"]) == "sand"
    assert label_of(scene, bpy.data.collections["C é 谷"]) == "tree"


def test_labels_follow_undo_and_redo(scene, pixels):
    assign(scene, pixels.box("A", RECTANGLE), "rock")
    bpy.ops.ed.undo_push(message="rock")
    assign(scene, bpy.data.objects["A"], "sand")
    bpy.ops.ed.undo_push(message="sand")
    bpy.ops.ed.undo()
    assert label_of(bpy.context.scene, bpy.data.objects["A"]) == "rock"
    bpy.ops.ed.redo()
    assert label_of(bpy.context.scene, bpy.data.objects["A"]) == "sand"


def test_a_deleted_objects_label_does_not_keep_it_in_the_file(scene, pixels):
    gone, stays = pixels.box("Gone", RECTANGLE), pixels.box("Stays", RECTANGLE)
    assign(scene, gone, "rock")
    scene.collection.objects.unlink(gone)
    assign(scene, stays, "rock")
    assert [rule.target for rule in settings(scene).rules] == [stays] and gone.users == 0


def test_each_scene_has_its_own_labels(scene, pixels):
    thing = pixels.box("A", RECTANGLE)
    other = bpy.data.scenes.new("Other")
    other.collection.objects.link(thing)
    assign(scene, thing, "rock")
    assign(other, thing, "sand")
    assert (label_of(scene, thing), label_of(other, thing)) == ("rock", "sand")


def test_a_rule_of_another_label_set_is_kept_but_counts_as_none(scene, pixels):
    thing = pixels.box("A", RECTANGLE)
    assign(scene, thing, "waterfall")
    settings(scene).label_set = "cityscapes"
    assert effective_label(scene, thing) is None and unlabelled(scene) == [thing]
    settings(scene).label_set = "landscape"
    assert effective_label(scene, thing) == "waterfall"


def test_an_imported_label_set_travels_with_the_scene_and_a_broken_one_says_so(scene):
    wanted = settings(scene)
    wanted.custom_label_set, wanted.label_set = scene_label_set(scene).to_toml(), "CUSTOM"
    assert scene_label_set(scene).class_named("mountain")
    wanted.custom_label_set = "name ="
    with pytest.raises(BadLabelSetError):
        scene_label_set(scene)


def test_the_nearest_collection_labels_an_object(scene, pixels):
    far, near = pixels.collection("F"), pixels.collection("N", inside="F")
    thing = pixels.box("A", RECTANGLE, inside=near)
    assign(scene, far, "rock")
    assert effective_label(scene, thing) == "rock"
    assign(scene, near, "grass")
    assert effective_label(scene, thing) == "grass"
    far.objects.link(thing)
    assert effective_label(scene, thing) == "rock", "of two equally near the one labelled first"
    assign(scene, near, None)
    pixels.collection("Z").objects.link(thing)
    assert effective_label(scene, thing) == "rock"


def test_what_has_no_label_is_listed_and_nothing_else(scene, pixels):
    grass, bare = pixels.material("G"), pixels.material("N")
    assign(scene, grass, "grass")
    both = pixels.box("Both", RECTANGLE, materials=(grass, bare))
    unused_slot = pixels.box("Unused slot", RECTANGLE, materials=(grass,))
    unused_slot.data.materials.append(bare)
    plain = pixels.box("Plain", RECTANGLE)
    source = pixels.source_collection("Source", (0, 0, 4, 4))
    pixels.instance(source, (4, 20))
    pixels.box("Hidden", RECTANGLE).hide_render = True
    pixels.box("Off", RECTANGLE, inside=pixels.collection("Off"))
    scene.view_layers[0].layer_collection.children["Off"].exclude = True
    pixels.camera()
    assert unlabelled(scene) == [both, plain, source.objects[0]]
    for target in (both, plain, source):
        assign(scene, target, "rock")
    assert unlabelled(scene) == []


def test_names_label_collections_objects_and_materials(scene, pixels):
    trees = pixels.collection("Trees")
    pixels.box("Lollipop", RECTANGLE, inside=trees)
    pixels.box("pine_tree_L", RECTANGLE, inside=trees)
    pixels.box("Mountain.003", RECTANGLE, materials=(pixels.material("Grey"), pixels.material("SnowCap")))
    pixels.box("MyRiver", RECTANGLE, materials=(pixels.material("Rock grey"),))
    pixels.box("Cube", RECTANGLE, materials=(pixels.material("Sand"),))
    pixels.box("Plane.001", RECTANGLE).data.name = "Meadow"
    assert given(auto_assign(scene)) == {
        ("COLLECTION", "Trees"): "tree",
        ("OBJECT", "Mountain.003"): "mountain",
        ("OBJECT", "MyRiver"): "water",
        ("OBJECT", "Plane.001"): "grass",
        ("MATERIAL", "SnowCap"): "snow",
        ("MATERIAL", "Sand"): "sand",
    }
    assert unlabelled(scene) == [] and auto_assign(scene) == []


def test_a_house_of_wood_and_stone_is_no_forest_on_a_rock(scene, pixels):
    pixels.box("House", RECTANGLE, materials=(pixels.material("Wood"), pixels.material("Stone wall")))
    pixels.box("Thing", RECTANGLE, materials=(pixels.material("Stone"),))
    assert given(auto_assign(scene)) == {
        ("OBJECT", "House"): "building",
        ("MATERIAL", "Stone wall"): "building",
        ("MATERIAL", "Stone"): "rock",
    }


def test_a_collection_called_background_is_not_the_sky(scene, pixels):
    pixels.box("Peaks", RECTANGLE, inside=pixels.collection("Background"))
    pixels.box("Sky dome", RECTANGLE)
    assert given(auto_assign(scene)) == {("OBJECT", "Peaks"): "mountain", ("OBJECT", "Sky dome"): "sky"}


def test_labels_given_by_hand_stay_unless_they_may_be_overwritten(scene, pixels):
    thing = pixels.box("Rock", RECTANGLE)
    assign(scene, thing, "snow")
    assert auto_assign(scene) == [] and label_of(scene, thing) == "snow"
    assert given(auto_assign(scene, overwrite=True)) == {("OBJECT", "Rock"): "rock"}
    assert auto_assign(scene, overwrite=True) == []


def test_a_thousand_objects_are_labelled_and_listed_in_a_moment(scene, pixels):
    import time

    mesh = pixels.mesh("Blob", RECTANGLE)
    for index in range(2000):
        scene.collection.objects.link(
            bpy.data.objects.new(f"Pine {index}" if index % 2 else f"Blob {index}", mesh)
        )
    start = time.perf_counter()
    assert len(auto_assign(scene)) == 1000 and len(unlabelled(scene)) == 1000
    assert time.perf_counter() - start < 2.0


def test_what_shows_no_surface_of_its_own_needs_no_label(scene, pixels):
    source = pixels.box("Source", RECTANGLE)
    assign(scene, source, "tree")
    pixels.geometry_nodes_instances(source, [(4, 20)])
    pixels.particle_instances(source, [(4, 20)])
    scene.collection.objects.link(bpy.data.objects.new("Path", bpy.data.curves.new("Path", "CURVE")))
    scene.collection.objects.link(bpy.data.objects.new("Fog", bpy.data.volumes.new("Fog")))
    assert unlabelled(scene) == []
