# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's materials: kept while pictures are on them, and back exactly as they were."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from spade_backdrops.contract.errors import BadOptionError
from spade_backdrops.place.caveats import caveats
from spade_backdrops.place.image import store_image
from spade_backdrops.place.placement import place
from spade_backdrops.place.projection.projections import MOST, refuse_too_many, remove_projections
from spade_backdrops.place.projection.sights import sight_of_now
from spade_backdrops.properties import settings
from spade_backdrops.scene.projected import is_painted, users_material

from tests.addon.place.projection import court


@pytest.fixture
def things(scene, camera):
    """Things with every kind of slot: of the mesh, of the object, empty, and none."""
    own = labelled("Own", (-4, 0, 1))
    own.data.materials.append(court.material("Mesh"))
    own.material_slots[0].link = "OBJECT"
    own.material_slots[0].material = court.material("Object")
    own.data.materials.append(court.material("Second"))
    empty = labelled("Empty", (4, 0, 1))
    empty.data.materials.append(None)
    bare = labelled("Bare", (-6, -2, 1))
    twin = bpy.data.objects.new("Twin", bare.data)  # shares a mesh without slots
    twin["spade_label"] = "rock"
    scene.collection.objects.link(twin)
    return own, empty, bare, twin


def labelled(name: str, where) -> bpy.types.Object:
    bpy.ops.mesh.primitive_cube_add(location=where)
    bpy.context.object.name, bpy.context.object["spade_label"] = name, "rock"
    return bpy.context.object


def slots() -> dict[str, list[tuple[str, str | None]]]:
    return {
        thing.name: [(slot.link, slot.material and slot.material.name) for slot in thing.material_slots]
        for thing in bpy.data.objects
        if thing.type == "MESH" and not thing.name.startswith("Backdrop")
    }


def data_blocks() -> list[list[str]]:
    kinds = (bpy.data.materials, bpy.data.node_groups)
    return [sorted(each.name for each in kind if not each.name.startswith("Backdrop")) for kind in kinds]


def white() -> np.ndarray:
    return np.full((court.HEIGHT, court.WIDTH, 3), 255, np.uint8)


def test_every_slot_is_as_it_was_and_nothing_is_left(scene, things):
    before = slots(), data_blocks()
    court.project(scene, white())
    painted = [
        slot.material for thing in things for slot in thing.material_slots if is_painted(slot.material)
    ]
    assert len(painted) == 5, "two of the first, one of each other"
    assert [users_material(each) and users_material(each).name for each in painted[:2]] == [
        "Object",
        "Second",
    ]
    assert [each.name for each in things[0].data.materials] == ["Mesh", "Second"], "the mesh keeps its own"
    bpy.ops.spade.remove_projections()
    assert (slots(), data_blocks()) == before
    assert not any(
        key.startswith("spade_") and key != "spade_label" for each in things for key in each.keys()
    )
    assert not any(key.startswith("spade_") for each in things for key in each.data.keys())


def test_they_come_back_in_a_file_that_was_saved_and_opened(scene, things, tmp_path):
    before = slots()
    court.project(scene, white())
    file = str(tmp_path / "projected.blend")
    bpy.ops.wm.save_as_mainfile(filepath=file)
    bpy.ops.wm.open_mainfile(filepath=file)
    assert any(is_painted(material) for material in bpy.data.materials)
    bpy.ops.spade.remove_projections()
    assert slots() == before


def test_they_come_back_where_things_were_appended_to_another_file(scene, things, tmp_path):
    court.project(scene, white())
    file = str(tmp_path / "projected.blend")
    bpy.ops.wm.save_as_mainfile(filepath=file)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    with bpy.data.libraries.load(file) as (_, wanted):
        wanted.objects = ["Own", "Bare"]
    assert any(is_painted(material) for material in bpy.data.materials)
    bpy.ops.spade.remove_projections()
    assert slots()["Own"] == [("OBJECT", "Object"), ("DATA", "Second")] and slots()["Bare"] == []


def test_placements_change_only_where_they_can(scene, camera):
    picture = store_image(white(), "Picture", scene, {"seed": 1})
    place(scene, picture)
    for thing in bpy.data.objects:
        if "spade_label" in thing:
            del thing["spade_label"]
    with pytest.raises(RuntimeError, match="has a label"):
        bpy.ops.spade.place_as(placement="PROJECTION")
    assert settings(scene).placement == "BACKDROP" and not settings(scene).projections


def test_undo_and_redo_go_through_it(scene, things):
    before = slots()
    bpy.ops.ed.undo_push(message="before")
    court.project(scene, white())
    bpy.ops.ed.undo_push(message="Projected")
    during = slots()
    bpy.ops.ed.undo()
    assert slots() == before and not settings(bpy.context.scene).projections
    bpy.ops.ed.redo()
    assert slots() == during and len(settings(bpy.context.scene).projections) == 1
    bpy.ops.spade.remove_projections()
    assert slots() == before


def test_a_second_projection_changes_no_material(scene, things, camera):
    court.project(scene, white())
    copies = {material for material in bpy.data.materials if is_painted(material)}
    court.project(scene, white(), another_camera(scene, camera))
    assert copies == {material for material in bpy.data.materials if is_painted(material)}
    assert len(settings(scene).projections) == 2


def test_a_new_picture_of_the_same_camera_takes_the_place_of_the_old_one(scene, camera):
    first = court.project(scene, white())
    second = court.project(scene, court.noise())
    (entry,) = settings(scene).projections
    assert entry.group.nodes["Spade Picture"].image == second and first.name in bpy.data.images
    assert sum(group.name.startswith("Spade Projection") for group in bpy.data.node_groups) == 1


def test_taking_one_away_leaves_the_others_and_the_last_one_gives_all_back(scene, things, camera):
    before = slots()
    other = another_camera(scene, camera)
    court.project(scene, white())
    court.project(scene, white(), other)
    bpy.ops.spade.take_away()
    (entry,) = settings(scene).projections
    assert entry.camera == other and slots() != before
    scene.camera = other
    bpy.ops.spade.take_away()
    assert slots() == before


def test_place_as_backdrop_gives_the_materials_back_and_projection_lays_the_picture_on_again(scene, things):
    before = slots()
    court.project(scene, white())
    bpy.ops.spade.place_as(placement="BACKDROP")
    assert slots() == before
    bpy.ops.spade.place_as(placement="PROJECTION")
    assert len(settings(scene).projections) == 1 and slots() != before


def test_show_blocks_shows_the_users_materials_without_writing_a_slot(scene, camera, tmp_path):
    for material in bpy.data.materials:
        material.node_tree.nodes["Principled BSDF"].inputs["Base Color"].default_value = (0, 0, 0, 1)
    court.project(scene, white())
    painted = slots()
    bpy.ops.spade.show(what="BLOCKS")
    assert slots() == painted and court.rendered(scene, tmp_path).max() < 255
    bpy.ops.spade.show(what="PICTURE")
    assert not any(thing.hide_render for thing in bpy.data.objects if "spade_label" in thing)
    assert court.rendered(scene, tmp_path).max() == 255


def test_leaves_keep_their_shape(scene, camera, tmp_path):
    """A card whose left half is cut out by a texture, in a group of nodes or by the principled shader's alpha."""
    for name in ("mixed", "grouped", "principled"):
        card = leaf_card(name)
        bpy.ops.object.select_all(action="DESELECT")
        court.project(scene, white())
        seen = court.rendered(scene, tmp_path)[..., 0] == 255
        card.hide_render = True
        without = court.rendered(scene, tmp_path)[..., 0] == 255
        changed = (seen != without).any(axis=0).nonzero()[0]
        bpy.data.objects.remove(card)
        remove_projections(scene)
        assert len(changed), name
        middle = court.WIDTH // 2
        assert abs(changed.min() - middle) <= 1, f"{name}: the left half is no leaf"


def leaf_card(name: str) -> bpy.types.Object:
    """Right before the camera, above its horizon where the sky is."""
    camera = bpy.context.scene.camera
    bpy.ops.mesh.primitive_plane_add(size=0.3)
    card = bpy.context.object
    card.name, card["spade_label"] = name, "tree"
    card.matrix_world = camera.matrix_world @ card.matrix_world.Translation((0, 0.38, -1.5))
    card.data.materials.append(leaf_material(name))
    return card


def leaf_material(name: str) -> bpy.types.Material:
    made = court.material(f"Leaf {name}")
    tree = made.node_tree
    if name == "principled":
        tree.links.new(half_image(tree), tree.nodes["Principled BSDF"].inputs["Alpha"])
        return made
    end = tree.nodes["Material Output"]
    if name == "grouped":
        inner = bpy.data.node_groups.new("Leaf", "ShaderNodeTree")
        inner.interface.new_socket("Shader", in_out="OUTPUT", socket_type="NodeSocketShader")
        node = tree.nodes.new("ShaderNodeGroup")
        node.node_tree = inner
        tree.links.new(node.outputs[0], end.inputs["Surface"])
        tree, end = inner, inner.nodes.new("NodeGroupOutput")
    mix, clear = tree.nodes.new("ShaderNodeMixShader"), tree.nodes.new("ShaderNodeBsdfTransparent")
    body = tree.nodes.new("ShaderNodeBsdfDiffuse")
    tree.links.new(half_image(tree), mix.inputs[0])
    tree.links.new(clear.outputs[0], mix.inputs[1])
    tree.links.new(body.outputs[0], mix.inputs[2])
    tree.links.new(mix.outputs[0], end.inputs[0])
    return made


def half_image(tree):
    image = bpy.data.images.new("Half", 2, 1, is_data=True)
    image.pixels = [0, 0, 0, 1, 1, 1, 1, 1]
    node = tree.nodes.new("ShaderNodeTexImage")
    node.image, node.interpolation = image, "Closest"
    return node.outputs["Color"]


def test_materials_that_geometry_nodes_set_are_named(scene, camera, pixels):
    thing = labelled("Gesetzt", (-4, 0, 1))
    thing.data.materials.append(court.material("Slot"))
    pixels.set_material_by_nodes(thing, court.material("Nodes"))
    bpy.context.view_layer.update()
    court.project(scene, white())
    assert any("geometry nodes set" in each and "Gesetzt" in each for each in caveats(scene))


def test_what_is_linked_is_named_and_stays_as_it_is(scene, camera, tmp_path):
    thing = labelled("Fern", (-4, 0, 1))
    thing.data.materials.append(court.material("Linked"))
    file = str(tmp_path / "library.blend")
    bpy.data.libraries.write(file, {thing})
    bpy.data.objects.remove(thing)
    with bpy.data.libraries.load(file, link=True) as (_, wanted):
        wanted.objects, wanted.materials = ["Fern"], ["Linked"]
    scene.collection.objects.link(wanted.objects[0])
    near = labelled("Nah", (4, 0, 1))
    near.data.materials.append(wanted.materials[0])
    bpy.context.view_layer.update()
    court.project(scene, white())
    assert any("Fern" in each and "linked" in each for each in caveats(scene))
    assert wanted.objects[0].material_slots[0].material == wanted.materials[0]
    assert is_painted(near.material_slots[0].material), "a linked material is copied"
    bpy.ops.spade.remove_projections()
    assert near.material_slots[0].material == wanted.materials[0]


def test_overrides_of_linked_things_are_projected_on_and_get_their_materials_back(scene, camera, tmp_path):
    thing = labelled("Fern", (-4, 0, 1))
    thing.data.materials.append(court.material("Linked"))
    file = str(tmp_path / "library.blend")
    bpy.data.libraries.write(file, {thing})
    bpy.data.objects.remove(thing)
    with bpy.data.libraries.load(file, link=True) as (_, wanted):
        wanted.objects = ["Fern"]
    scene.collection.objects.link(wanted.objects[0])
    own = wanted.objects[0].override_create(remap_local_usages=True)
    bpy.context.view_layer.update()
    court.project(scene, white())
    assert is_painted(own.material_slots[0].material) and not settings(scene).unpainted
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shot.blend"))
    bpy.ops.spade.remove_projections()
    (own,) = [each for each in bpy.data.objects if each.name == "Fern" and each.library is None]
    assert [(slot.link, slot.material.name) for slot in own.material_slots] == [("DATA", "Linked")]


def test_more_projections_than_can_be_drawn_are_refused(scene, camera):
    court.project(scene, white())
    sight = sight_of_now(scene, camera, (32, 48))
    for number in range(MOST - 1):
        picture = store_image(white(), "Picture", scene, {"seed": number})
        place(scene, picture, another_camera(scene, camera), sight)
    refuse_too_many(scene, camera)  # which replaces its own
    with pytest.raises(RuntimeError, match="10 projections already"):
        bpy.ops.spade.project_from_view()
    assert len(settings(scene).projections) == MOST
    assert "Projector" not in bpy.data.objects, "nothing is left of what was refused"


def test_the_users_own_images_count(scene, camera):
    thing = labelled("Bilderreich", (4, 0, 1))
    material = court.material("Many")
    thing.data.materials.append(material)
    for number in range(28):
        material.node_tree.nodes.new("ShaderNodeTexImage").image = bpy.data.images.new(
            f"Image {number}", 4, 4
        )
    with pytest.raises(BadOptionError, match="'Many' has 28 images"):
        court.project(scene, white())
    assert not any(is_painted(each) for each in bpy.data.materials)


def another_camera(scene, camera) -> bpy.types.Object:
    other = bpy.data.objects.new("Other", camera.data.copy())
    other.matrix_world = camera.matrix_world
    other.location.x += 2
    scene.collection.objects.link(other)
    bpy.context.view_layer.update()
    return other
