# SPDX-License-Identifier: GPL-3.0-or-later
"""Which object each pixel shows: against ray casts, and against pictures worked out by hand."""

import math

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from spade_backdrops.scene import pass_indices  # noqa: E402
from spade_backdrops.scene.coverage import last_coverage  # noqa: E402
from spade_backdrops.scene.label_pass import render_label_map  # noqa: E402
from spade_backdrops.scene.label_rules import assign  # noqa: E402

SHAPE = (48, 64)


def taken(scene, shape=SHAPE):
    """With the labels as they are where nobody asks for objects."""
    found = render_label_map(scene, shape, with_objects=True)
    plain = render_label_map(scene, shape)
    np.testing.assert_array_equal(found.label_map, plain.label_map)
    assert found.unlabelled == plain.unlabelled and plain.instance_map is None
    assert found.instance_map.dtype == np.uint16 and found.instance_map.shape == shape
    return found


def assert_same_objects(instance_map, truth):
    """Both divide the picture in the same way, whatever they call the parts; 0 is nothing in both."""
    pairs = {*zip(instance_map.ravel().tolist(), truth.ravel().tolist(), strict=True)}
    assert len(pairs) == len({ours for ours, _ in pairs}) == len({theirs for _, theirs in pairs}), pairs
    assert (0, 0) in pairs or not (truth == 0).any()


def shown(instance_map, *rectangles):
    """Assert that the objects are these rectangles: later ones lie over earlier ones, equal names are one object."""
    truth = np.zeros(SHAPE, int)
    numbers = {}
    for (left, top, right, bottom), name in rectangles:
        truth[top:bottom, left:right] = numbers.setdefault(name, len(numbers) + 1)
    assert_same_objects(instance_map, truth)


def ray_cast_truth(scene, shape):
    """(H, W): 0 where a ray through a pixel's centre hits nothing, else a number for each object and copy of one."""
    height, width = shape
    graph = bpy.context.evaluated_depsgraph_get()
    camera = scene.camera.matrix_world
    top_right, _, bottom_left, top_left = (
        camera @ corner for corner in scene.camera.data.view_frame(scene=scene)
    )
    numbers, truth = {}, np.zeros(shape, int)
    for row in range(height):
        for column in range(width):
            across, down = (column + 0.5) / width, (row + 0.5) / height
            at = top_left + (top_right - top_left) * across + (bottom_left - top_left) * down
            hit, _, _, _, thing, matrix = scene.ray_cast(graph, camera.translation, at - camera.translation)
            if hit:
                what = thing.name, tuple(round(value, 3) for line in matrix for value in line)
                truth[row, column] = numbers.setdefault(what, len(numbers) + 1)
    return truth


def test_overlapping_objects_of_one_class_are_those_that_rays_hit(scene, pixels):
    camera = pixels.camera()
    camera.data.type, camera.location = "PERSP", (0, -12, 2)
    camera.rotation_euler = (math.radians(85), 0, 0)
    bark = pixels.principled("Bark")
    for number, (x, y) in enumerate(((-3, 0), (-1, 1), (1, -2), (3, 4), (4, 0))):
        bpy.ops.mesh.primitive_ico_sphere_add(subdivisions=3, radius=1.6, location=(x, y, 1.5))
        tree = bpy.context.object
        if number % 2:
            tree.data.materials.append(bark)
        assign(scene, tree, "tree")
    bpy.ops.mesh.primitive_plane_add(size=80)
    assign(scene, bpy.context.object, "grass")
    found = taken(scene)
    truth = ray_cast_truth(scene, SHAPE)
    assert found.object_count == len(np.unique(truth[truth > 0])) >= 5
    assert_same_objects(found.instance_map, truth)


@pytest.mark.parametrize("with_material", [True, False])
def test_copies_of_one_thing_are_those_that_rays_hit_too(scene, view, pixels, with_material):
    materials = (pixels.principled("Leaf"),) if with_material else ()
    source = pixels.source_collection("Tree", (0, 0, 6, 6))
    for material in materials:
        source.objects[0].data.materials.append(material)
    assign(scene, source.objects[0], "tree")
    for corner in ((4, 4), (8, 7), (20, 20)):
        pixels.instance(source, corner).location.y -= corner[0] / 4
    pixels.geometry_nodes_instances(source.objects[0], [(40, 4), (50, 4)])
    cube = pixels.cube_out_of_sight(4)
    assign(scene, cube, "tree")
    pixels.particle_instances(cube, [(38, 30), (50, 34)])
    found = taken(scene)
    assert found.object_count == 7
    numbers = {
        int(found.instance_map[y, x])
        for y, x in ((5, 5), (11, 12), (22, 22), (6, 42), (6, 52), (30, 38), (34, 50))
    }
    assert len(numbers) == 7 and found.instance_map[0, 0] == 0
    assert found.instance_map[9, 9] == found.instance_map[11, 12], "the copy in front lies over the other"


def test_what_is_behind_a_cut_out_is_seen_in_its_holes_through_any_number_of_them(scene, view, pixels):
    leaf = pixels.cut_out("leaf")
    hedge = pixels.box("Hedge", (40, 4, 56, 12), 40, (pixels.principled("Green"),))
    assign(scene, hedge, "tree")
    for number in range(12):  # more than Cycles looks through by itself
        assign(scene, pixels.box(f"Leaf {number}", (40, 4, 56, 12), 5 + number, (leaf,)), "tree")
    holes = [(40 + 4 * column, 4 + 4 * row) for row in range(2) for column in range(4) if (row + column) % 2]
    found = taken(scene)
    assert found.object_count == 2
    corners = [((x, y, x + 4, y + 4), "hedge") for x, y in holes]
    shown(found.instance_map, ((40, 4, 56, 12), "leaf"), *corners)


def test_what_nobody_sees_is_no_object_and_what_is_behind_stays_one(scene, view, pixels):
    assign(scene, pixels.box("Rock", (10, 10, 50, 40), 30, (pixels.principled("Stone"),)), "rock")
    assign(scene, pixels.box("Bare", (52, 10, 60, 40), 30), "rock")
    clear = pixels.principled("Clear", Alpha=0.0)
    tinted = pixels.shader("ShaderNodeBsdfTransparent")
    tinted.node_tree.nodes[0].inputs["Color"].default_value = (0.7, 0.7, 0.7, 1)
    for number in range(10):
        assign(scene, pixels.box(f"Nothing {number}", (20, 5, 58, 45), 5 + number, (clear,)), "tree")
        pixels.box(f"Tint {number}", (30, 5, 55, 45), 16 + number, (tinted,))
    found = taken(scene)
    assert found.object_count == 2
    shown(found.instance_map, ((10, 10, 50, 40), "rock"), ((52, 10, 60, 40), "bare"))


def test_a_pane_with_a_label_is_an_object_and_one_without_is_looked_through(scene, view, pixels):
    water = pixels.principled("Thin", Alpha=0.3)
    wall = (pixels.principled("Wall"),)
    assign(scene, pixels.box("Wall", (0, 0, 30, 20), 30, wall), "building")
    assign(scene, pixels.box("Water", (5, 5, 15, 15), 10, (water,)), "water")
    pixels.box("Pane", (20, 5, 28, 15), 10, (pixels.principled("Glass", Alpha=0.2),))
    shown(taken(scene).instance_map, ((0, 0, 30, 20), "wall"), ((5, 5, 15, 15), "water"))


def test_an_object_is_one_whatever_its_shader_is_made_of(scene, view, pixels):
    """Mixes by texture, sums, groups, a lamp, a glow: none of them draws borders."""
    mixed = pixels.mixed(0.5, "ShaderNodeBsdfDiffuse", "ShaderNodeBsdfGlossy")
    tree = mixed.node_tree
    noise = tree.nodes.new("ShaderNodeTexNoise")
    mix = next(node for node in tree.nodes if node.type == "MIX_SHADER")
    tree.links.new(noise.outputs[0], mix.inputs[0])
    added = pixels.shader("ShaderNodeBsdfDiffuse")
    both = added.node_tree.nodes.new("ShaderNodeAddShader")
    for node_type, socket in (("ShaderNodeBsdfGlossy", 0), ("ShaderNodeEmission", 1)):
        added.node_tree.links.new(added.node_tree.nodes.new(node_type).outputs[0], both.inputs[socket])
    end = added.node_tree.get_output_node("CYCLES")
    added.node_tree.links.new(both.outputs[0], end.inputs["Surface"])
    grouped = pixels.shader("ShaderNodeBsdfDiffuse")
    group = bpy.data.node_groups.new("Inner", "ShaderNodeTree")
    group.interface.new_socket("Out", in_out="OUTPUT", socket_type="NodeSocketShader")
    inside = group.nodes.new("ShaderNodeBsdfPrincipled")
    group.links.new(inside.outputs[0], group.nodes.new("NodeGroupOutput").inputs[0])
    node = grouped.node_tree.nodes.new("ShaderNodeGroup")
    node.node_tree = group
    grouped.node_tree.links.new(
        node.outputs[0], grouped.node_tree.get_output_node("CYCLES").inputs["Surface"]
    )
    glow = pixels.shader("ShaderNodeEmission")
    places = {"mixed": mixed, "added": added, "grouped": grouped, "glow": glow, "two": grouped}
    rectangles = []
    for number, (name, material) in enumerate(places.items()):
        rectangle = (2 + 12 * number, 10, 14 + 12 * number, 30)
        parts = (material, glow) if name == "two" else (material,)
        assign(scene, pixels.box(name, rectangle, 20, parts), "rock")
        rectangles.append((rectangle, name))
    lamp = bpy.data.objects.new("Lamp", bpy.data.lights.new("Lamp", "POINT"))
    lamp.data.energy, lamp.data.shadow_soft_size, lamp.location = 1e5, 3.0, (0, 0, 5)
    lamp.visible_camera = True
    scene.collection.objects.link(lamp)
    scene.cycles.sample_clamp_direct, scene.cycles.film_exposure = 0.01, 3.0
    shown(taken(scene).instance_map, *rectangles)


def test_an_object_of_two_classes_is_one_of_each(scene, view, pixels):
    grass, dirt = pixels.principled("G"), pixels.principled("D")
    assign(scene, grass, "grass")
    assign(scene, dirt, "dirt")
    pixels.box("Field", (10, 10, 30, 30), materials=(grass, dirt))
    shown(taken(scene).instance_map, ((10, 10, 20, 30), "grass"), ((20, 10, 30, 30), "dirt"))


def test_with_more_objects_in_the_file_than_indices_they_are_told_apart_all_the_same(
    scene, view, pixels, monkeypatch
):
    monkeypatch.setattr(pass_indices, "LARGEST_INDEX", 3)
    rectangles = [((4 + 6 * number, 10, 10 + 6 * number, 20), f"Box {number}") for number in range(8)]
    for number, (rectangle, name) in enumerate(rectangles):
        materials = (pixels.principled(name),) if number % 2 else ()
        assign(scene, pixels.box(name, rectangle, materials=materials), "rock")
    shown(taken(scene).instance_map, *rectangles)


def test_more_objects_than_an_instance_map_has_numbers_are_said(scene, pixels):
    camera, side = pixels.camera(), 264
    camera.data.ortho_scale = side
    scene.render.resolution_x = scene.render.resolution_y = side
    points = bpy.data.meshes.new("Points")
    places = np.zeros((side * side, 3), np.float32)
    places[:, 0], places[:, 2] = np.tile(np.arange(side), side), np.repeat(np.arange(side), side)
    places[:, [0, 2]] += 0.5 - side / 2
    points.vertices.add(len(places))
    points.vertices.foreach_set("co", places.ravel())
    source = pixels.box("Blade", (31.5, 23.5, 32.5, 24.5), materials=(pixels.principled("Green"),))
    source.hide_render = True
    host = pixels.geometry_nodes_instances(source, [(0, 0)])
    host.data = points
    assign(scene, host, "grass")
    found = render_label_map(scene, (side, side), with_objects=True)
    assert side * side * 0.99 < found.object_count <= side * side  # a few draw the same of 24 bits
    numbers = found.instance_map
    assert numbers.min() == 1 and (numbers[1:] != numbers[:-1]).mean() > 0.999
    assert f"{found.object_count:,} objects" in last_coverage(scene).warning
    render_label_map(scene, (side, side))
    assert last_coverage(scene).warning is None


def test_the_file_is_as_it_was(scene, view, pixels, snapshot):
    assign(scene, pixels.box("Leaf", (10, 10, 30, 30), 10, (pixels.cut_out("leaf"),)), "tree")
    assign(scene, pixels.box("Bare", (20, 10, 50, 30), 20), "tree")
    lamp = bpy.data.objects.new("Lamp", bpy.data.lights.new("Lamp", "POINT"))
    scene.collection.objects.link(lamp)
    nodes = [len(material.node_tree.nodes) for material in bpy.data.materials]
    before, shines = snapshot(), lamp.visible_camera
    render_label_map(scene, SHAPE, with_objects=True)
    assert snapshot() == before and lamp.visible_camera == shines
    assert [len(material.node_tree.nodes) for material in bpy.data.materials] == nodes
