# SPDX-License-Identifier: GPL-3.0-or-later
"""What one can look through is there or not there by rule, never by chance."""

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from spade_backdrops.scene.label_rules import assign  # noqa: E402

DIFFUSE, CLEAR = "ShaderNodeBsdfDiffuse", "ShaderNodeBsdfTransparent"
ALL, WATER = (0, 0, 64, 48), (0, 16, 64, 48)
BED = (ALL, "dirt")


@pytest.fixture
def bed(scene, view, pixels):
    """What is seen behind: it fills the picture."""
    made = pixels.box("Bed", ALL, 12)
    assign(scene, made, "dirt")
    return made


def surface(scene, pixels, material, label="water"):
    made = pixels.box("Surface", WATER, 8, (material,))
    if label:
        assign(scene, made, label)
    return made


@pytest.mark.parametrize("alpha", [0.02, 0.1, 0.3, 0.49, 0.498, 0.5, 0.9])
def test_an_even_surface_with_a_label_is_seen_however_thin_it_is(scene, bed, pixels, picture, alpha):
    surface(scene, pixels, pixels.principled("Water", Alpha=alpha))
    picture.shows(BED, (WATER, "water"))


@pytest.mark.parametrize("alpha, seen", [(0.0, False), (0.3, False), (0.49, False), (0.5, True), (0.9, True)])
def test_an_even_surface_without_a_label_is_seen_from_one_half_on(scene, bed, pixels, picture, alpha, seen):
    surface(scene, pixels, pixels.principled("Pane", Alpha=alpha), label=None)
    picture.shows(BED, *([(WATER, "no label")] if seen else []))


@pytest.mark.parametrize("factor, first, second", [(0.7, DIFFUSE, CLEAR), (0.3, CLEAR, DIFFUSE)])
def test_so_is_a_mix_with_transparency(scene, bed, pixels, picture, factor, first, second):
    made = surface(scene, pixels, pixels.mixed(factor, first, second))
    picture.shows(BED, (WATER, "water"))
    assign(scene, made, None)
    picture.shows(BED)


@pytest.mark.parametrize("factor, first, second", [(1.0, DIFFUSE, CLEAR), (0.0, CLEAR, DIFFUSE)])
def test_what_is_fully_transparent_is_looked_through_label_or_not(
    scene, bed, pixels, picture, factor, first, second
):
    surface(scene, pixels, pixels.mixed(factor, first, second))
    picture.shows(BED)


def test_fresnel_and_a_tint_are_even_too(scene, bed, pixels, picture):
    material = pixels.mixed(0.5, CLEAR, "ShaderNodeBsdfGlossy")
    tree = material.node_tree
    tree.links.new(tree.nodes.new("ShaderNodeFresnel").outputs[0], tree.nodes["Mix Shader"].inputs[0])
    made = surface(scene, pixels, material)
    picture.shows(BED, (WATER, "water"))
    tinted = pixels.shader(CLEAR)
    tinted.node_tree.nodes[0].inputs[0].default_value = (0.6, 0.8, 0.9, 1.0)
    made.data.materials[0] = tinted
    picture.shows(BED, (WATER, "water"))


def test_what_only_shines_hides_nothing(scene, bed, pixels, picture):
    material = pixels.shader(CLEAR)
    tree = material.node_tree
    add = tree.nodes.new("ShaderNodeAddShader")
    tree.links.new(tree.nodes[0].outputs[0], add.inputs[0])
    tree.links.new(tree.nodes.new("ShaderNodeEmission").outputs[0], add.inputs[1])
    tree.links.new(add.outputs[0], tree.get_output_node("CYCLES").inputs["Surface"])
    surface(scene, pixels, material)
    picture.shows(BED)


def test_what_is_hidden_from_the_camera_by_its_shader_is_not_seen(scene, bed, pixels, picture):
    material = pixels.mixed(0.5, DIFFUSE, CLEAR)
    tree = material.node_tree
    rays = tree.nodes.new("ShaderNodeLightPath")
    tree.links.new(rays.outputs["Is Camera Ray"], tree.nodes["Mix Shader"].inputs[0])
    surface(scene, pixels, material)
    picture.shows(BED)


def test_soft_alpha_of_a_leaf_is_cut_at_one_half(scene, bed, pixels, picture):
    material = pixels.cut_out("leaf")
    image = next(node.image for node in material.node_tree.nodes if node.type == "TEX_IMAGE")
    image.pixels = [
        value if index % 4 < 3 else 0.15 + 0.7 * value for index, value in enumerate(image.pixels)
    ]
    assign(scene, pixels.box("Leaf", (0, 0, 64, 48), 6, (material,)), "tree")
    checker = [
        ((16 * column, 24 * row, 16 * column + 16, 24 * row + 24), "tree")
        for row in range(2)
        for column in range(4)
        if (row + column) % 2 == 0
    ]
    picture.shows(BED, *checker)


def test_alpha_in_a_node_group_follows_the_same_rule(scene, bed, pixels, picture):
    group = bpy.data.node_groups.new("Shader", "ShaderNodeTree")
    group.interface.new_socket("Alpha", in_out="INPUT", socket_type="NodeSocketFloat")
    group.interface.new_socket("Shader", in_out="OUTPUT", socket_type="NodeSocketShader")
    start, end = group.nodes.new("NodeGroupInput"), group.nodes.new("NodeGroupOutput")
    shader = group.nodes.new("ShaderNodeBsdfPrincipled")
    group.links.new(start.outputs[0], shader.inputs["Alpha"])
    group.links.new(shader.outputs[0], end.inputs[0])
    material = pixels.shader(DIFFUSE)
    tree = material.node_tree
    node = tree.nodes.new("ShaderNodeGroup")
    node.node_tree, node.inputs[0].default_value = group, 0.3
    tree.links.new(node.outputs[0], tree.get_output_node("CYCLES").inputs["Surface"])
    made = surface(scene, pixels, material)
    picture.shows(BED, (WATER, "water"))
    assign(scene, made, None)
    picture.shows(BED)


def test_the_seed_of_the_users_render_changes_no_pixel(scene, bed, pixels, picture):
    for number, alpha in enumerate((0.1, 0.3, 0.45, 0.55, 0.8)):
        made = pixels.box("Pane", (12 * number, 0, 12 * number + 12, 48), 8 - number)
        made.data.materials.append(pixels.principled("Pane", Alpha=alpha))
        if number % 2:
            assign(scene, made, "water")
    pixels.block("Mist", (0, 20, 64, 30), (9, 11), pixels.fog(0.4))
    taken = []
    for seed in (0, 7, 1234):
        scene.cycles.seed = seed
        taken.append(picture.taken().label_map)
    np.testing.assert_array_equal(taken[0], taken[1])
    np.testing.assert_array_equal(taken[0], taken[2])


@pytest.mark.parametrize("density", [0.01, 0.1, 1.0, 20.0])
def test_a_volume_shows_its_label_and_without_one_what_is_behind_it(scene, view, pixels, picture, density):
    mountain = ((0, 20, 64, 48), "mountain")
    assign(scene, pixels.box("Mountain", mountain[0], 30), "mountain")
    bank = pixels.block("Bank", (0, 16, 64, 32), (15, 21), pixels.fog(density))
    picture.shows(mountain)
    assign(scene, bank, "fog")
    picture.shows(mountain, ((0, 16, 64, 32), "fog"))
    assign(scene, bank, None)
    assign(scene, bank.active_material, "cloud")
    picture.shows(mountain, ((0, 16, 64, 32), "cloud"))


def test_two_volumes_of_one_material_can_differ(scene, bed, pixels, picture):
    material = pixels.fog(1.0)
    assign(scene, pixels.block("Left", (0, 0, 32, 48), (4, 8), material), "fog")
    pixels.block("Right", (32, 0, 64, 48), (4, 8), material)
    picture.shows(BED, ((0, 0, 32, 48), "fog"))


def test_from_inside_a_volume_one_sees_what_is_in_it_and_beyond_it_its_label(scene, view, pixels, picture):
    mountain = ((0, 20, 64, 48), "mountain")
    assign(scene, pixels.box("Mountain", mountain[0], 30), "mountain")
    around = pixels.block("Around", (-20, -20, 84, 68), (-20, 80), pixels.fog(0.5))
    picture.shows(mountain)
    assign(scene, around, "fog")
    picture.shows(mountain, background="fog")


def test_a_grid_is_seen_as_a_body_too(scene, view, pixels, picture):
    material = pixels.fog(0.5)
    cloud = bpy.data.objects.new("Grid", bpy.data.volumes.new("Grid"))
    scene.collection.objects.link(cloud)
    tree = pixels.geometry_nodes(cloud)
    grid, setter = (tree.nodes.new(f"GeometryNode{kind}") for kind in ("VolumeCube", "SetMaterial"))
    grid.inputs["Min"].default_value, grid.inputs["Max"].default_value = (-32, -4, -8), (32, 4, 8)
    setter.inputs["Material"].default_value = material
    tree.links.new(grid.outputs[0], setter.inputs["Geometry"])
    tree.links.new(setter.outputs[0], tree.nodes["Group Output"].inputs[0])
    assign(scene, pixels.box("Mountain", (0, 20, 64, 48), 30), "mountain")
    picture.shows(((0, 20, 64, 48), "mountain"))
    assign(scene, cloud, "cloud")
    seen = picture.taken().label_map == picture.ids["cloud"]
    assert seen[18:30].all() and not seen[:12].any() and not seen[36:].any(), "to a voxel"


def test_the_users_materials_are_not_touched(scene, bed, pixels, picture):
    material, fog = pixels.principled("Water", Alpha=0.3), pixels.fog(0.5)
    surface(scene, pixels, material)
    assign(scene, pixels.block("Fog", (0, 0, 9, 9), (2, 4), fog), "fog")
    before = [(len(each.node_tree.nodes), len(each.node_tree.links)) for each in (material, fog)]
    picture.taken()
    assert before == [(len(each.node_tree.nodes), len(each.node_tree.links)) for each in (material, fog)]
    assert material.node_tree.nodes["Principled BSDF"].inputs["Alpha"].default_value == pytest.approx(0.3)
