# SPDX-License-Identifier: GPL-3.0-or-later
"""The label operators, pressed in real Blender."""

from __future__ import annotations

import bpy
import pytest
from spade_backdrops.contract.labels import load_label_set
from spade_backdrops.label_set_choice import CUSTOM
from spade_backdrops.properties import settings
from spade_backdrops.scene.label_rules import label_of


@pytest.fixture
def hut(scene) -> bpy.types.Object:
    bpy.ops.mesh.primitive_cube_add()
    hut = bpy.context.object
    hut.name = "Hütte 小屋"
    return hut


def test_the_selected_object_gets_the_label(scene, hut):
    bpy.ops.spade.assign_label(kind="OBJECT", class_name="building")
    assert label_of(scene, hut) == "building"
    bpy.ops.spade.clear_label(kind="OBJECT")
    assert label_of(scene, hut) is None


def test_all_selected_objects_get_the_label(scene, hut):
    bpy.ops.mesh.primitive_cube_add()
    other = bpy.context.object
    hut.select_set(True)
    bpy.ops.spade.assign_label(kind="OBJECT", class_name="rock")
    assert label_of(scene, hut) == label_of(scene, other) == "rock"


def test_the_active_material_gets_the_label(scene, hut):
    material = bpy.data.materials.new("Gras")
    hut.data.materials.append(material)
    bpy.ops.spade.assign_label(kind="MATERIAL", class_name="grass")
    assert label_of(scene, material) == "grass"
    assert label_of(scene, hut) is None


def test_the_active_collection_gets_the_label(scene, hut):
    collection = bpy.data.collections.new("Wald")
    scene.collection.children.link(collection)
    bpy.context.view_layer.active_layer_collection = bpy.context.view_layer.layer_collection.children["Wald"]
    bpy.ops.spade.search_label(kind="COLLECTION", class_name="tree")
    assert label_of(scene, collection) == "tree"


def test_a_label_with_nothing_selected_is_one_sentence(scene):
    with pytest.raises(RuntimeError, match="Select an object"):
        bpy.ops.spade.assign_label(kind="OBJECT", class_name="tree")


def test_a_class_that_is_not_in_the_set_is_one_sentence(scene, hut):
    with pytest.raises(RuntimeError, match="no class 'unicorn'"):
        bpy.ops.spade.assign_label(kind="OBJECT", class_name="unicorn")


def test_undo_takes_a_label_away_and_redo_brings_it_back(scene, hut):
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.spade.assign_label(kind="OBJECT", class_name="building")
    bpy.ops.ed.undo_push(message="labelled")
    bpy.ops.ed.undo()
    assert label_of(bpy.context.scene, bpy.data.objects["Hütte 小屋"]) is None
    bpy.ops.ed.redo()
    assert label_of(bpy.context.scene, bpy.data.objects["Hütte 小屋"]) == "building"


def test_labels_by_name_say_when_no_name_helps(scene, hut):
    hut.name = "Zeug 物"
    with pytest.raises(RuntimeError, match="No name in the scene"):
        bpy.ops.spade.auto_assign()
    hut.name = "Mountain.003"
    assert bpy.ops.spade.auto_assign() == {"FINISHED"}
    assert label_of(scene, hut) == "mountain"


def test_what_has_no_label_can_be_selected(scene, hut):
    bpy.ops.mesh.primitive_cube_add()
    bpy.ops.spade.assign_label(kind="OBJECT", class_name="rock")
    bpy.ops.spade.select_unlabelled()
    assert bpy.context.selected_objects == [hut]
    assert bpy.context.object == hut


def test_a_label_set_comes_from_a_file(scene, tmp_path):
    file = tmp_path / "größe.toml"
    file.write_text(
        'name = "planets"\nversion = 1\n[[classes]]\nid = 0\nname = "moon"\ncolor = "#AABBCC"\n',
        encoding="utf-8",
    )
    bpy.ops.spade.import_label_set(filepath=str(file))
    assert settings(scene).label_set == CUSTOM
    bpy.ops.mesh.primitive_cube_add()
    bpy.ops.spade.assign_label(kind="OBJECT", class_name="moon")
    assert label_of(scene, bpy.context.object) == "moon"


def test_a_shipped_label_set_stays_a_shipped_one(scene, tmp_path):
    file = tmp_path / "copy.toml"
    file.write_text(load_label_set("ade20k").to_toml(), encoding="utf-8")
    bpy.ops.spade.import_label_set(filepath=str(file))
    assert settings(scene).label_set == "ade20k"


def test_a_file_that_is_no_label_set_changes_nothing(scene, tmp_path):
    file = tmp_path / "broken.toml"
    file.write_text("= no", encoding="utf-8")
    with pytest.raises(RuntimeError, match="not TOML"):
        bpy.ops.spade.import_label_set(filepath=str(file))
    assert settings(scene).label_set == "landscape"
