# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever moves, in whichever way Blender lets things move: none of it is taken from where it was, and what stands
still keeps its bytes. Against ray casts, with a pattern that lies on each thing and on each copy in its own way.
"""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from spade_backdrops.animation.reprojection import Source, known_of
from spade_backdrops.scene.label_rules import assign

from tests.addon.animation.conftest import SHAPE

FIRST, LAST = 1, 5
FOLLOWS, ANEW = "follows", "painted anew"
BENDS = ("Bent", "Pipe")
RIM = 6


def truth(scene, frame: int) -> tuple[np.ndarray, np.ndarray, dict[int, tuple]]:
    """(H, W, 3) uint8, a picture whose pattern lies on the things; (H, W), which thing each pixel shows, 0 none; and
    where each of these is. Copies are told apart by their scale, which no motion changes.
    """
    scene.frame_set(frame)
    graph, camera = bpy.context.evaluated_depsgraph_get(), scene.camera.matrix_world
    height, width = SHAPE
    right_top, _, left_bottom, left_top = (
        camera @ each for each in scene.camera.data.view_frame(scene=scene)
    )
    who = np.zeros(SHAPE, np.int64)
    local, places = np.zeros((height, width, 3)), {}
    for row in range(height):
        for column in range(width):
            across, down = (column + 0.5) / width, (row + 0.5) / height
            at = left_top + (right_top - left_top) * across + (left_bottom - left_top) * down
            hit, where, _, _, thing, matrix = scene.ray_cast(
                graph, camera.translation, at - camera.translation
            )
            if hit:
                size = round(1000 * abs(matrix.determinant()) ** (1 / 3))
                who[row, column] = number = sum(map(ord, thing.name)) * 10_000 + size
                places[number] = thing.name, *(round(value, 4) for line in matrix for value in line)
                local[row, column] = matrix.inverted() @ where
    waves = np.sin(1.3 * local + (who[..., None] % 628) / 100)
    return np.rint(127.5 + 100 * waves).astype(np.uint8), who, places


def keyed(thing, path: str, first, last) -> None:
    for frame, value in ((FIRST, first), (LAST, last)):
        setattr(thing, path, value)
        thing.keyframe_insert(path, frame=frame)


def block(scene, name: str, class_name: str = "rock", size: float = 3.0, location=(0, 0, 0)):
    bpy.ops.mesh.primitive_cube_add(size=size, location=location)
    bpy.context.object.name = name
    assign(scene, bpy.context.object, class_name)
    return bpy.context.object


def kept_apart(scene, with_material: bool):
    """A rock in a collection that is only there as instances."""
    rock = block(scene, "Source")
    if with_material:
        rock.data.materials.append(bpy.data.materials.new("Stone"))
    made = bpy.data.collections.new("Sources")
    made.objects.link(rock)
    scene.collection.objects.unlink(rock)
    return made


def instance(scene, collection, x: float, size: float):
    made = bpy.data.objects.new("Copy", None)
    made.instance_type, made.instance_collection = "COLLECTION", collection
    made.location, made.scale = (x, -6, 2), (size,) * 3
    scene.collection.objects.link(made)
    return made


def one_collection_instance_of_two(scene, pixels, with_material=False) -> str:
    rocks = kept_apart(scene, with_material)
    instance(scene, rocks, -4, 1.2)
    goes = instance(scene, rocks, 1, 1.0)
    keyed(goes, "location", (1, -6, 2), (3.5, -6, 2))
    return FOLLOWS


def one_that_has_a_material(scene, pixels) -> str:
    return one_collection_instance_of_two(scene, pixels, with_material=True)


def one_point_of_geometry_nodes(scene, pixels) -> str:
    """Two rocks on points, of which the second goes its way."""
    rock = block(scene, "Source", location=(0, 0, 500))
    host = pixels.geometry_nodes_instances(rock, [(28, 24), (33, 24)])
    host.location.y = -6
    tree = host.modifiers[0].node_group
    scatter = next(node for node in tree.nodes if node.type == "INSTANCE_ON_POINTS")
    index, size, place, offset, chosen = (
        tree.nodes.new(kind)
        for kind in (
            "GeometryNodeInputIndex",
            "ShaderNodeMath",
            "GeometryNodeSetPosition",
            "ShaderNodeCombineXYZ",
            "ShaderNodeMath",
        )
    )
    size.operation, size.inputs[1].default_value, size.inputs[2].default_value = "MULTIPLY_ADD", 0.2, 1.0
    chosen.operation = "MULTIPLY"
    tree.links.new(index.outputs[0], size.inputs[0])
    tree.links.new(size.outputs[0], scatter.inputs["Scale"])
    tree.links.new(index.outputs[0], chosen.inputs[0])
    for frame, value in ((FIRST, 0.0), (LAST, 2.5)):
        chosen.inputs[1].default_value = value
        chosen.inputs[1].keyframe_insert("default_value", frame=frame)
    tree.links.new(chosen.outputs[0], offset.inputs["X"])
    tree.links.new(offset.outputs[0], place.inputs["Offset"])
    tree.links.new(tree.nodes["Group Input"].outputs[0], place.inputs["Geometry"])
    tree.links.new(place.outputs[0], scatter.inputs["Points"])
    return FOLLOWS


def particles_of_an_emitter(scene, pixels) -> str:
    rock = block(scene, "Source", location=(0, 0, 500))
    host = pixels.particle_instances(rock, [(28, 24), (33, 24)])
    host.particle_systems[0].settings.size_random = 0.4
    keyed(host, "location", (0, -6, 2), (2, -6, 2))
    return FOLLOWS


def child_of_an_empty(scene, pixels) -> str:
    parent = bpy.data.objects.new("Cart", None)
    scene.collection.objects.link(parent)
    block(scene, "Load", size=2.4, location=(2, -6, 3)).parent = parent
    keyed(parent, "rotation_euler", (0, 0, 0), (0, 0, 0.25))
    return FOLLOWS


def mesh_that_an_armature_bends(scene, pixels) -> str:
    arm = bpy.data.objects.new("Arm", bpy.data.armatures.new("Arm"))
    scene.collection.objects.link(arm)
    bpy.context.view_layer.objects.active = arm
    bpy.ops.object.mode_set(mode="EDIT")
    bone = arm.data.edit_bones.new("Bone")
    bone.head, bone.tail = (0, -6, 0), (0, -6, 3)
    bpy.ops.object.mode_set(mode="OBJECT")
    bent = block(scene, "Bent", location=(0, -6, 2))
    bent.vertex_groups.new(name="Bone").add(range(4), 1.0, "ADD")
    bent.modifiers.new("Arm", "ARMATURE").object = arm
    pose = arm.pose.bones["Bone"]
    pose.rotation_mode = "XYZ"
    keyed(pose, "rotation_euler", (0, 0, 0), (0, 0, 0.5))
    return ANEW


def one_whose_armature_only_renders_see(scene, pixels) -> str:
    mesh_that_an_armature_bends(scene, pixels)
    bpy.data.objects["Bent"].modifiers["Arm"].show_viewport = False
    return ANEW


def curve_that_shrinks(scene, pixels) -> str:
    bpy.ops.curve.primitive_bezier_circle_add(radius=2, location=(0, -6, 3), rotation=(1.57, 0, 0))
    curve = bpy.context.object
    curve.name = "Pipe"
    assign(scene, curve, "building")
    keyed(curve.data, "bevel_depth", 0.6, 0.3)
    return ANEW


def block_before_a_wall_of_its_class(scene, pixels) -> str:
    """So close before it that depth does not tell them apart."""
    block(scene, "Wall", size=8, location=(0, 0, 3)).scale.x = 2
    goes = block(scene, "Goes", size=1, location=(0, -4.1, 3))
    goes.scale = (2.5, 0.2, 2.5)
    keyed(goes, "location", (-1, -4.1, 3), (3, -4.1, 3))
    return FOLLOWS


def around(shown: np.ndarray) -> np.ndarray:
    """The same with the rims of things, which may be painted on what is behind them."""
    padded = np.pad(shown, RIM)
    for axis in (0, 1):
        padded = np.any([np.roll(padded, step, axis) for step in range(-RIM, RIM + 1)], axis=0)
    return padded[RIM:-RIM, RIM:-RIM]


@pytest.mark.parametrize(
    "how",
    [
        one_collection_instance_of_two,
        one_that_has_a_material,
        one_point_of_geometry_nodes,
        particles_of_an_emitter,
        child_of_an_empty,
        mesh_that_an_armature_bends,
        one_whose_armature_only_renders_see,
        curve_that_shrinks,
        block_before_a_wall_of_its_class,
    ],
)
def test_nothing_is_taken_from_where_it_was_and_what_stands_still_keeps_its_bytes(
    yard, pixels, views_of, how
):
    yard.frame_start, yard.frame_end = FIRST, LAST
    expected = how(yard, pixels)
    bpy.context.view_layer.update()
    views = views_of(yard, [FIRST, LAST])
    for thing in bpy.data.objects:
        for each in thing.modifiers:
            each.show_viewport = True
    (before, was, first), (after, now, last) = truth(yard, FIRST), truth(yard, LAST)
    known = known_of(views[LAST], [Source(FIRST, views[FIRST], before)])
    movers = [who for who, place in last.items() if place != first.get(who) or place[0] in BENDS]
    moves, moved = np.isin(now, movers), np.isin(was, movers)
    uncovered = moved & (now > 0) & ~moves
    assert moves.mean() > 0.02 and uncovered.mean() > 0.005
    still = ~around(moves | moved)
    assert known.is_known[still].all() and still.mean() > 0.4
    np.testing.assert_array_equal(np.rint(known.rgb[still]), before[still])
    assert (uncovered & known.is_known).sum() < 0.03 * uncovered.sum(), "a ghost where it was"
    if expected is ANEW:
        assert not (moves & known.is_known).any()
        return
    wrong = np.abs(known.rgb - after)[moves & known.is_known].max(axis=1)
    assert (moves & known.is_known).sum() > 0.6 * moves.sum()
    assert np.median(wrong) < 6 and np.mean(wrong > 60) < 0.03
