# SPDX-License-Identifier: GPL-3.0-or-later
"""A projection changes no label: the pass looks through the paint, and labels lie on the user's materials."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from spade_backdrops.properties import settings
from spade_backdrops.scene.label_pass import render_label_map
from spade_backdrops.scene.label_rules import assign, label_of, unlabelled
from spade_backdrops.scene.projected import is_painted

from tests.addon.place.projection import court
from tests.addon.place.projection.test_materials import leaf_card, white


@pytest.fixture
def rich(scene, camera):
    """Cards, even transparency, a material with a label, one labelled by a rule of the scene, and a bare thing."""
    for name in ("mixed", "grouped", "principled"):
        leaf_card(name).location.x += 0.1 * len(name) - 0.8
    for x, alpha in ((-4, 0.3), (4, 0.0)):
        bpy.ops.mesh.primitive_cube_add(location=(x, 0, 1))
        bpy.context.object["spade_label"] = "water"
        glass = court.material(f"Alpha {alpha}")
        glass.node_tree.nodes["Principled BSDF"].inputs["Alpha"].default_value = alpha
        bpy.context.object.data.materials.append(glass)
    bpy.ops.mesh.primitive_cube_add(location=(-7, 3, 1))
    bpy.context.object.data.materials.append(court.material("Snow"))
    bpy.data.materials["Snow"]["spade_label"] = "snow"
    bpy.context.object.data.materials.append(court.material("Ruled"))
    for face in list(bpy.context.object.data.polygons)[::2]:
        face.material_index = 1
    rule = settings(scene).rules.add()
    rule.kind, rule.material, rule.class_name = "MATERIAL", bpy.data.materials["Ruled"], "sand"
    bpy.ops.mesh.primitive_cube_add(location=(6, 1, 1))
    bpy.context.object.name = "Nothing"
    bpy.context.view_layer.update()
    return scene


def test_the_label_map_and_the_objects_are_the_same_before_and_after(rich):
    shape = (court.HEIGHT, court.WIDTH)
    before = render_label_map(rich, shape, with_objects=True, with_depth=True)
    assert len(before.shares) >= 7
    court.project(rich, white())
    assert any(is_painted(material) for material in bpy.data.materials)
    after = render_label_map(rich, shape, with_objects=True, with_depth=True)
    np.testing.assert_array_equal(before.label_map, after.label_map)
    np.testing.assert_array_equal(before.fine_depth, after.fine_depth)
    assert before.object_count == after.object_count and before.unlabelled == after.unlabelled
    seen = np.stack([before.instance_map, after.instance_map]).reshape(2, -1)
    assert len(np.unique(seen, axis=1).T) == len(np.unique(seen[0])), (
        "the same objects, whatever their numbers"
    )


def test_the_depth_is_twice_as_fine_as_the_labels_but_for_large_pictures(scene, camera):
    for width, expected in ((64, 128), (2048, 4096), (2080, 2080)):
        taken = render_label_map(scene, (32, width), with_depth=True)
        assert taken.depth.shape == (32, width) and taken.fine_depth.shape[1] == expected


def test_what_has_no_label_gets_no_picture(rich):
    before = unlabelled(rich)
    court.project(rich, white())
    assert unlabelled(rich) == before == [bpy.data.objects["Nothing"]]
    assert not bpy.data.objects["Nothing"].material_slots


def test_a_label_given_to_a_projected_material_lies_on_the_users(scene, camera):
    court.project(scene, white())
    stone = bpy.data.materials["Stone"]
    copy = next(
        each for each in bpy.data.materials if is_painted(each) and each.get("spade_original") == stone
    )
    assign(scene, copy, "water")
    assert label_of(scene, stone) == label_of(scene, copy) == "water" and "spade_label" not in copy
    assign(scene, copy, None)
    assert label_of(scene, copy) is None and "spade_label" not in stone
