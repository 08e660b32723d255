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
    assign(scene, stuff, None)
    assert [label_of(scene, target) for target in (thing, stuff, group)] == ["grass", None, "grass"]


def test_a_class_the_set_does_not_have_is_refused_with_those_it_has(scene, pixels):
    thing = pixels.box("A", RECTANGLE)
    with pytest.raises(BadLabelError) as raised:
        assign(scene, thing, "spaceship")
    assert "spaceship" in raised.value.message and "mountain" in raised.value.fix
    assert label_of(scene, thing) is None


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
    assert label_of(scene, stays) == "rock" and gone.users == 0


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
    assert effective_label(scene, thing) == "rock", "of two equally near the first in the outliner"
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


OLD_RULES = (("OBJECT", "rock"), ("MATERIAL", "sand"), ("COLLECTION", "tree"))


def give_old_rules(scene, *targets):
    """Labels as the first version of the add-on wrote them into files."""
    for target, (kind, class_name) in zip(targets, OLD_RULES, strict=False):
        rule = settings(scene).rules.add()
        rule.kind, rule.class_name = kind, class_name
        setattr(rule, kind.lower(), target)


def test_labels_of_an_older_file_are_understood_and_copies_keep_them(scene, pixels, tmp_path):
    stuff = pixels.material("M")
    thing, group = pixels.box("A", RECTANGLE, materials=(stuff,)), pixels.collection("C")
    give_old_rules(scene, thing, stuff, group)
    assert [label_of(scene, each) for each in (thing, stuff, group)] == ["rock", "sand", "tree"]
    path = str(tmp_path / "old.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    scene, found = bpy.context.scene, bpy.data
    for each, name in ((found.objects["A"], "rock"), (found.materials["M"], "sand")):
        assert label_of(scene, each) == label_of(scene, each.copy()) == name
    assert label_of(scene, found.collections["C"]) == label_of(scene, found.collections["C"].copy()) == "tree"
    assert not settings(scene).rules


def test_a_deleted_objects_rule_in_an_older_file_does_not_keep_it(scene, pixels):
    gone = pixels.box("Gone", RECTANGLE)
    give_old_rules(scene, gone)
    scene.collection.objects.unlink(gone)
    assign(scene, pixels.box("Stays", RECTANGLE), "rock")
    assert gone.users == 0


@pytest.mark.parametrize("linked", [False, True], ids=["Shift+D", "Alt+D"])
def test_a_copy_keeps_the_label(scene, pixels, linked):
    thing = pixels.box("Zeug", RECTANGLE)
    assign(scene, thing, "rock")
    thing.select_set(True)
    bpy.context.view_layer.objects.active = thing
    bpy.ops.object.duplicate(linked=linked)
    copy = bpy.context.object
    assert copy != thing and label_of(scene, copy) == "rock"
    assign(scene, copy, "sand")
    assert label_of(scene, thing) == "rock"


@pytest.fixture
def library(scene, pixels, tmp_path):
    """A file with a labelled object, its labelled material, and a labelled collection around them."""
    group, stuff = pixels.collection("Group"), pixels.material("Stuff")
    thing = pixels.box("Thing", RECTANGLE, materials=(stuff,), inside=group)
    for target, name in ((thing, "rock"), (stuff, "sand"), (group, "tree")):
        assign(scene, target, name)
    path = str(tmp_path / "library.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    return path


def brought_in(path, link):
    with bpy.data.libraries.load(path, link=link) as (there, here):
        here.collections = there.collections
    bpy.context.scene.collection.children.link(here.collections[0])
    group = here.collections[0]
    return group, group.objects[0], group.objects[0].material_slots[0].material


@pytest.mark.parametrize("link", [False, True], ids=["append", "link"])
def test_what_comes_from_a_library_brings_its_labels(library, link):
    group, thing, stuff = brought_in(library, link)
    scene = bpy.context.scene
    assert [label_of(scene, each) for each in (group, thing, stuff)] == ["tree", "rock", "sand"]
    assert unlabelled(scene) == []


def test_linked_things_can_be_labelled_otherwise_and_that_survives_reloading(library, tmp_path):
    group, thing, stuff = brought_in(library, link=True)
    scene = bpy.context.scene
    assign(scene, thing, "snow")
    assign(scene, stuff, None)
    assert (label_of(scene, thing), label_of(scene, stuff)) == ("snow", None)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "user.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "user.blend"))
    scene, thing = bpy.context.scene, bpy.data.objects["Thing"]
    assert label_of(scene, thing) == "snow" and label_of(scene, bpy.data.materials["Stuff"]) is None
    assign(scene, thing, "rock")
    assert label_of(scene, thing) == "rock"


def test_an_overridden_thing_has_its_librarys_label_until_it_gets_its_own(library, tmp_path):
    group, _, _ = brought_in(library, link=True)
    own_group = group.override_hierarchy_create(bpy.context.scene, bpy.context.view_layer)
    thing = own_group.objects[0]
    assert thing.override_library and label_of(bpy.context.scene, thing) == "rock"
    assign(bpy.context.scene, thing, "snow")
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "user.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "user.blend"))
    thing = next(each for each in bpy.data.objects if each.override_library)
    assert label_of(bpy.context.scene, thing) == "snow"


def test_what_another_program_wrote_as_a_label_counts_and_nonsense_does_not(scene, pixels):
    thing, odd = pixels.box("A", RECTANGLE), pixels.box("B", RECTANGLE)
    thing["spade_label"], odd["spade_label"] = "Rock", 7
    assert effective_label(scene, thing) == "rock" and label_of(scene, odd) is None
    assert unlabelled(scene) == [odd]


def test_a_scene_keeps_its_labels_when_another_one_takes_them_away(scene, pixels):
    thing, stuff = pixels.box("A", RECTANGLE, materials=(pixels.material("M"),)), bpy.data.materials["M"]
    other = bpy.data.scenes.new("Other")
    other.collection.objects.link(thing)
    for target in (thing, stuff):
        assign(scene, target, "rock")
        assign(other, target, None)
        assert (label_of(scene, target), label_of(other, target)) == ("rock", None)


def test_a_thousand_objects_are_labelled_and_listed_in_a_moment(scene, pixels):
    import time

    mesh = pixels.mesh("Blob", RECTANGLE)
    for index in range(2000):
        scene.collection.objects.link(
            bpy.data.objects.new(f"Pine {index}" if index % 2 else f"Blob {index}", mesh)
        )
    start = time.thread_time()
    assert len(auto_assign(scene)) == 1000 and len(unlabelled(scene)) == 1000
    assert time.thread_time() - start < 2.0


def test_what_shows_no_surface_of_its_own_needs_no_label(scene, pixels):
    source = pixels.box("Source", RECTANGLE)
    assign(scene, source, "tree")
    pixels.geometry_nodes_instances(source, [(4, 20)])
    pixels.particle_instances(source, [(4, 20)])
    scene.collection.objects.link(bpy.data.objects.new("Path", bpy.data.curves.new("Path", "CURVE")))
    scene.collection.objects.link(bpy.data.objects.new("Fog", bpy.data.volumes.new("Fog")))
    assert unlabelled(scene) == []
