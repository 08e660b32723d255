# SPDX-License-Identifier: GPL-3.0-or-later
"""What is scattered is labelled, found by name, and listed, wherever its sources lie."""

import pytest

bpy = pytest.importorskip("bpy")

from spade_backdrops.scene.label_rules import assign, auto_assign, label_of, unlabelled  # noqa: E402

PLACES = [(4, 20), (26, 24)]
SQUARES = [(4, 20, 8, 24), (26, 24, 30, 28)]


def squares(name):
    return [(square, name) for square in SQUARES]


@pytest.fixture
def source(scene, view, pixels):
    """A square in a collection that is linked nowhere."""
    return pixels.source_collection("Kept apart", (0, 0, 4, 4)).objects[0]


def faces_of(pixels, parent_name, places):
    """Instancing on faces: a small face at each place, and a child that is shown there."""
    parent = pixels.box(parent_name, (0, 0, 1, 1))
    points = [
        (x - 32 + dx, 0.0, 24 - y - dz) for x, y in places for dx, dz in ((0, 0), (1, 0), (1, 1), (0, 1))
    ]
    mesh = bpy.data.meshes.new("Faces")
    mesh.from_pydata(points, [], [tuple(range(4 * n, 4 * n + 4)) for n in range(len(places))])
    parent.data, parent.instance_type = mesh, "FACES"
    parent.show_instancer_for_render = False
    return parent


def test_a_label_on_what_scatters_reaches_its_instances(scene, source, pixels, picture):
    host = pixels.geometry_nodes_instances(source, PLACES)
    assign(scene, host, "tree")
    picture.shows(*squares("tree"))
    assert unlabelled(scene) == []


def test_instances_with_a_label_of_their_own_keep_it(scene, source, pixels, picture):
    assign(scene, pixels.geometry_nodes_instances(source, PLACES), "tree")
    assign(scene, source, "rock")
    picture.shows(*squares("rock"))


def test_so_do_those_with_a_label_of_their_collection(scene, source, pixels, picture):
    assign(scene, pixels.geometry_nodes_instances(bpy.data.collections["Kept apart"], PLACES[:1]), "tree")
    assign(scene, bpy.data.collections["Kept apart"], "bush")
    assert (picture.taken().label_map == picture.ids["bush"]).any()


def test_a_label_reaches_instances_inside_instances(scene, source, pixels, picture):
    inner = pixels.geometry_nodes_instances(source, [(32, 24)])
    scene.collection.objects.unlink(inner)
    outer = pixels.geometry_nodes_instances(inner, PLACES)
    assign(scene, outer, "tree")
    picture.shows(*squares("tree"))


def test_a_label_on_hair_reaches_its_instances(scene, view, pixels, picture):
    cube = pixels.cube_out_of_sight(4)
    scene.collection.objects.unlink(cube)
    host = pixels.particle_instances(cube, [(38, 22)])
    assign(scene, host, "bush")
    picture.shows(((36, 20, 40, 24), "bush"))
    assert unlabelled(scene) == []


def test_a_label_on_a_parent_reaches_what_its_faces_show(scene, view, pixels, picture):
    parent, child = faces_of(pixels, "Faces", PLACES), pixels.cube_out_of_sight(2)
    child.location, child.parent = (0, 0, 0), parent
    assert unlabelled(scene) == [child]
    assign(scene, parent, "flower")
    taken = picture.taken()
    assert (taken.label_map == picture.ids["flower"]).any() and not taken.unlabelled
    assert unlabelled(scene) == []


@pytest.mark.parametrize("where", ["excluded", "nowhere"])
@pytest.mark.parametrize("by", ["object", "collection"])
def test_sources_are_found_by_name_and_listed_wherever_they_lie(scene, view, pixels, picture, where, by):
    trees = pixels.source_collection("Pine trees", (0, 0, 4, 4))
    part = trees.objects[0]
    part.name = "Mesh.003"
    if where == "excluded":
        scene.collection.children.link(trees)
        scene.view_layers[0].layer_collection.children["Pine trees"].exclude = True
    pixels.geometry_nodes_instances(part if by == "object" else trees, PLACES)
    bpy.context.view_layer.update()
    assert unlabelled(scene) == [part]
    auto_assign(scene)
    assert label_of(scene, trees) == "tree" and unlabelled(scene) == []
    assert picture.taken().shares[picture.ids["tree"]] == pytest.approx(32 / (64 * 48))


def test_the_name_of_what_scatters_counts_where_its_sources_say_nothing(scene, source, pixels, picture):
    source.name = source.data.name = "Plane.003"
    pixels.geometry_nodes_instances(source, PLACES).name = "Pine forest"
    auto_assign(scene)
    picture.shows(*squares("tree"))


def test_materials_from_geometry_nodes_are_found_by_name_and_count_as_labels(scene, view, pixels, picture):
    leaves = pixels.material("Leaves")
    thing = pixels.set_material_by_nodes(pixels.box("Thing", (10, 10, 30, 40)), leaves)
    assert unlabelled(scene) == [thing]
    auto_assign(scene)
    assert label_of(scene, leaves) == "tree" and unlabelled(scene) == []
    picture.shows(((10, 10, 30, 40), "tree"))


def test_so_are_those_of_geometry_that_nodes_instance(scene, view, pixels, picture):
    host = pixels._points("Host", PLACES)
    tree = pixels.geometry_nodes(host)
    kinds = ("InstanceOnPoints", "MeshCube", "SetMaterial")
    scatter, cube, setter = (tree.nodes.new(f"GeometryNode{kind}") for kind in kinds)
    cube.inputs["Size"].default_value = (4, 1, 4)
    setter.inputs["Material"].default_value = pixels.material("Leaves")
    tree.links.new(tree.nodes["Group Input"].outputs[0], scatter.inputs["Points"])
    tree.links.new(cube.outputs["Mesh"], setter.inputs["Geometry"])
    tree.links.new(setter.outputs[0], scatter.inputs["Instance"])
    tree.links.new(scatter.outputs[0], tree.nodes["Group Output"].inputs[0])
    assert unlabelled(scene) == [host]
    auto_assign(scene)
    assert unlabelled(scene) == []
    picture.shows(((2, 18, 6, 22), "tree"), ((24, 22, 28, 26), "tree"))


def test_the_material_of_strands_is_found_by_name(scene, view, pixels, picture):
    ground = pixels.box("Ground", (0, 0, 64, 48), 12, (pixels.material("Bare"),))
    assign(scene, ground, "dirt")
    ground.data.materials.append(pixels.material("Grass"))
    ground.modifiers.new("Hair", "PARTICLE_SYSTEM")
    hair = ground.particle_systems[0].settings
    hair.type, hair.count, hair.hair_length, hair.material = "HAIR", 300, 8, 2
    hair.root_radius = hair.tip_radius = 40
    bpy.context.view_layer.update()
    auto_assign(scene)
    shares = picture.taken().shares
    assert set(shares) == {picture.ids["dirt"], picture.ids["grass"]}


def test_hair_curves_are_listed_and_found_by_their_material(scene, view, pixels, picture):
    curves = bpy.data.hair_curves.new("Curves")
    curves.add_curves([2] * 8)
    points = [value for x in range(8) for z in (-10, 10) for value in (2.0 * x, 0.0, z)]
    curves.points.foreach_set("position", points)
    radius = curves.attributes.get("radius") or curves.attributes.new("radius", "FLOAT", "POINT")
    radius.data.foreach_set("value", [0.8] * 16)
    thing = bpy.data.objects.new("Curves", curves)
    scene.collection.objects.link(thing)
    assert unlabelled(scene) == [thing]
    curves.materials.append(pixels.material("Grass blades"))
    auto_assign(scene)
    assert unlabelled(scene) == [] and picture.ids["grass"] in picture.taken().shares


def test_every_unlabelled_thing_is_told_with_its_share_of_the_picture(scene, source, pixels, picture):
    assign(scene, pixels.box("Meadow", (0, 36, 64, 48), 12), "grass")
    pixels.box("Shed", (40, 0, 64, 12))
    pixels.box("Unseen", (0, 40, 9, 48), 20)
    pixels.geometry_nodes_instances(source, PLACES)
    taken = picture.taken()
    assert taken.unlabelled == {"Shed": 24 * 12 / (64 * 48), source.name: 32 / (64 * 48)}
    assert list(taken.unlabelled) == ["Shed", source.name], "the largest first"
    assert taken.unlabelled_share == pytest.approx((24 * 12 + 32) / (64 * 48))
