# SPDX-License-Identifier: GPL-3.0-or-later
"""The label pass against scenes whose right answer is worked out by hand, pixel by pixel."""

import importlib
import math

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from spade_backdrops.contract.errors import BadShapeError, NoCameraError, NothingLabelledError  # noqa: E402
from spade_backdrops.properties import settings  # noqa: E402
from spade_backdrops.scene.label_pass import render_label_map  # noqa: E402
from spade_backdrops.scene.label_rules import assign, scene_label_set  # noqa: E402

WIDTH, HEIGHT = 64, 48
IGNORE = 255


@pytest.fixture
def view(scene, pixels):
    """An orthographic camera that sees 64 x 48 metres: a metre is a pixel, borders are exact."""
    return pixels.camera()


def ids(scene):
    return {entry.name: entry.id for entry in scene_label_set(scene).classes}


def rendered(scene, shape=(HEIGHT, WIDTH)):
    return render_label_map(scene, shape).label_map


@pytest.fixture(scope="module")
def everything(addon):
    """One picture with everything in it: what was rendered, and the ids of the classes by their names."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    scene = bpy.context.scene
    pixels = importlib.import_module("pixel_scene").Pixels(scene)
    pixels.camera()

    # An object's own label, and an object in front of it without one.
    assign(scene, pixels.box("A", (2, 2, 14, 12)), "mountain")
    pixels.box("B", (10, 8, 18, 16), distance=5)

    # The nearest collection: the inner one's label over the outer one's, and an own label over both.
    outer, inner = pixels.collection("Outer"), pixels.collection("Inner", inside="Outer")
    pixels.box("C", (20, 2, 24, 6), inside=outer)
    pixels.box("D", (26, 2, 30, 6), inside=inner)
    assign(scene, outer, "rock")
    assign(scene, inner, "bush")
    assign(scene, pixels.box("E", (32, 2, 36, 6), inside=inner), "flower")

    # Two materials on one mesh: one with a label of its own, one that leaves it to the object.
    grass, bare = pixels.material("G"), pixels.material("N")
    assign(scene, pixels.box("F", (20, 8, 36, 14), materials=(grass, bare)), "dirt")
    assign(scene, grass, "grass")

    # A leaf cut out by alpha, half of it before a wall.
    assign(scene, pixels.box("Wall", (44, 2, 50, 14), distance=12), "building")
    assign(scene, pixels.box("Leaf", (40, 4, 56, 12), materials=(pixels.cut_out("leaf"),)), "tree")

    # Instances: of a collection, by geometry nodes, by particles; and one that lends its own label.
    source = pixels.source_collection("Source", (0, 0, 4, 4))
    assign(scene, source.objects[0], "tree")
    pixels.instance(source, (4, 20))
    pixels.instance(source, (12, 22))
    pixels.geometry_nodes_instances(source.objects[0], [(20, 20), (26, 24)])
    cube = pixels.cube_out_of_sight(4)
    assign(scene, cube, "tree")
    pixels.particle_instances(cube, [(38, 22), (44, 26)])
    blank = pixels.source_collection("Blank", (0, 0, 4, 4))
    assign(scene, pixels.instance(blank, (52, 20)), "waterfall")

    # Hidden, and left out by the view layer.
    assign(scene, pixels.box("Hidden", (2, 30, 10, 38), distance=2), "sea")
    bpy.data.objects["Hidden"].hide_render = True
    assign(scene, pixels.box("Left out", (2, 30, 10, 38), distance=2, inside=pixels.collection("Off")), "sea")
    scene.view_layers[0].layer_collection.children["Off"].exclude = True
    assign(scene, pixels.box("Shown", (6, 32, 14, 40)), "sand")

    # Glass, and a fully transparent surface.
    glass, air = pixels.shader("ShaderNodeBsdfGlass"), pixels.shader("ShaderNodeBsdfTransparent")
    assign(scene, pixels.box("Pane", (20, 32, 28, 40), materials=(glass,)), "water")
    assign(scene, pixels.box("Air", (24, 30, 40, 44), 3, (air,)), "fog")
    return render_label_map(scene, (HEIGHT, WIDTH)), {**ids(scene), "no label": IGNORE}


# Of the picture with everything in it: the part each promise is about, and what is where in that part, worked out by
# hand; later rectangles lie over earlier ones, and the rest is sky.
CHECKER = [
    ((40 + 4 * column, 4 + 4 * row, 44 + 4 * column, 8 + 4 * row), "tree")
    for row in range(2)
    for column in range(4)
    if (row + column) % 2 == 0
]
PARTS = {
    "an object shows its own label, and one without a label in front of it shows none": (
        (0, 0, 19, 18),
        [((2, 2, 14, 12), "mountain"), ((10, 8, 18, 16), "no label")],
    ),
    "an object has the label of its collection": ((19, 0, 25, 7), [((20, 2, 24, 6), "rock")]),
    "the nearest collection counts": ((25, 0, 31, 7), [((26, 2, 30, 6), "bush")]),
    "its own label goes before its collections'": ((31, 0, 39, 7), [((32, 2, 36, 6), "flower")]),
    "a material's label goes before the object's": (
        (19, 7, 39, 18),
        [((20, 8, 28, 14), "grass"), ((28, 8, 36, 14), "dirt")],
    ),
    "what is behind shows through the holes of a cut-out": (
        (39, 0, 64, 18),
        [((44, 2, 50, 14), "building"), *CHECKER],
    ),
    "instances of a collection carry its objects' label": (
        (0, 18, 18, 29),
        [((4, 20, 8, 24), "tree"), ((12, 22, 16, 26), "tree")],
    ),
    "so do instances by geometry nodes": (
        (18, 18, 33, 29),
        [((20, 20, 24, 24), "tree"), ((26, 24, 30, 28), "tree")],
    ),
    "so do instances by particles": (
        (33, 18, 49, 29),
        [((36, 20, 40, 24), "tree"), ((42, 24, 46, 28), "tree")],
    ),
    "a collection instance lends its label to what has none": (
        (49, 18, 64, 29),
        [((52, 20, 56, 24), "waterfall")],
    ),
    "hidden things and excluded collections are not seen": ((0, 29, 18, 48), [((6, 32, 14, 40), "sand")]),
    "glass is seen, a fully transparent surface is not": ((18, 29, 64, 48), [((20, 32, 28, 40), "water")]),
}


def worked_out(known, rectangles):
    expected = np.full((HEIGHT, WIDTH), known["sky"], np.uint8)
    for (left, top, right, bottom), name in rectangles:
        expected[top:bottom, left:right] = known[name]
    return expected


@pytest.mark.parametrize("promise", PARTS)
def test_every_kind_of_label_comes_out_exactly_where_it_is(everything, promise):
    found, known = everything
    (left, top, right, bottom), rectangles = PARTS[promise]
    part = np.s_[top:bottom, left:right]
    np.testing.assert_array_equal(found.label_map[part], worked_out(known, rectangles)[part])


def test_the_parts_are_the_whole_picture(everything):
    found, known = everything
    seen = np.zeros((HEIGHT, WIDTH), int)
    for (left, top, right, bottom), _ in PARTS.values():
        seen[top:bottom, left:right] += 1
    assert (seen == 1).all()
    expected = worked_out(known, [each for _, rectangles in PARTS.values() for each in rectangles])
    np.testing.assert_array_equal(found.label_map, expected)


def test_label_maps_are_contiguous_bytes_with_the_depth_beside_them(everything):
    found, _ = everything
    assert found.label_map.dtype == np.uint8 and found.label_map.flags.c_contiguous
    assert found.depth.shape == (HEIGHT, WIDTH) and found.depth.dtype == np.float32
    assert found.depth[4, 4] == pytest.approx(10.0) and found.depth[0, 0] > 1e9


def test_the_shares_of_the_classes_are_those_of_the_pixels(everything):
    found, _ = everything
    label_map = found.label_map
    assert found.unlabelled_share == np.mean(label_map == IGNORE)
    assert found.shares == {int(each): float(np.mean(label_map == each)) for each in np.unique(label_map)}


def test_every_direction_of_a_panorama_shows_the_wall_it_points_at(scene, pixels):
    names = ("rock", "grass", "sea", "sand", "snow", "tree")  # +x, -x, +y, -y, +z, -z
    camera = pixels.panorama()
    for axis, name in enumerate(names):
        assign(scene, pixels.wall(axis // 2, -1 if axis % 2 else 1), name)
    found = rendered(scene, (64, 128))

    # Longitude runs from the left edge round to the right one; the camera looks at the middle.
    longitude = ((np.arange(128) + 0.5) / 128 - 0.5) * 2 * math.pi
    latitude = (0.5 - (np.arange(64) + 0.5) / 64) * math.pi
    level = np.cos(latitude)[:, None]
    direction = np.stack(
        (
            level * np.sin(longitude),
            level * np.cos(longitude),
            np.broadcast_to(np.sin(latitude)[:, None], (64, 128)),
        ),
        -1,
    )
    axis = np.abs(direction).argmax(-1)
    positive = np.take_along_axis(direction, axis[..., None], -1)[..., 0] > 0
    known = ids(scene)
    wanted = np.array([known[name] for name in names])[2 * axis + ~positive]
    assert camera.data.type == "PANO"
    np.testing.assert_array_equal(found, wanted)


def test_the_label_map_covers_the_cameras_frame_whatever_size_is_asked_for(scene, view, pixels):
    scene.render.pixel_aspect_y = 1.5
    view.data.sensor_fit = "VERTICAL"
    view.data.ortho_scale = 48 * 1.5
    assign(scene, pixels.box("Half", (0, -20, 32, 80)), "grass")
    for shape in ((48, 64), (96, 32), (30, 160)):
        found = rendered(scene, shape)
        half = shape[1] // 2
        assert found.shape == shape
        assert (found[:, :half] == ids(scene)["grass"]).all() and (found[:, half:] == ids(scene)["sky"]).all()


def test_nothing_of_the_users_render_settings_moves_a_border(scene, view, pixels):
    thing = pixels.box("Fast", (10, 10, 20, 20))
    assign(scene, thing, "rock")
    plain = rendered(scene)
    thing.keyframe_insert("location", frame=0)
    thing.location.x += 30
    thing.keyframe_insert("location", frame=2)
    for curve in pixels.curves_of(thing):
        for point in curve.keyframe_points:
            point.interpolation = "LINEAR"
    scene.frame_set(1)
    render = scene.render
    render.use_motion_blur = render.use_border = render.use_crop_to_border = render.use_simplify = True
    render.border_max_x = 0.4
    render.resolution_percentage, render.film_transparent, render.use_multiview = 37, True, True
    scene.cycles.samples, scene.cycles.sample_offset, scene.cycles.filter_width = 64, 7, 4.0
    view.data.dof.use_dof, view.data.dof.aperture_fstop, view.data.dof.focus_distance = True, 0.01, 3.0
    scene.view_layers[0].material_override = pixels.shader("ShaderNodeBsdfTransparent")
    scene.world = bpy.data.worlds.new("Loud")
    other = scene.view_layers.new("Other")
    other.layer_collection.exclude = False
    moved = rendered(scene)
    np.testing.assert_array_equal(moved[:, 15:], plain[:, :-15])
    assert moved[15, 25] == ids(scene)["rock"] and moved[15, 24] == ids(scene)["sky"]


def test_the_users_file_is_as_it_was(scene, view, pixels, snapshot):
    thing = pixels.box("Thing", (10, 10, 20, 20), materials=(pixels.material("M"),))
    assign(scene, thing, "rock")
    thing.pass_index, thing.material_slots[0].material.pass_index = 7, 8
    view.data.dof.use_dof = True
    thing.select_set(True)
    scene.frame_set(5)
    before = snapshot()
    rendered(scene)
    assert snapshot() == before


def test_the_users_file_is_as_it_was_even_when_the_render_fails(scene, view, pixels, snapshot, monkeypatch):
    from spade_backdrops.scene import label_pass

    thing = pixels.box("Thing", (10, 10, 20, 20))
    assign(scene, thing, "rock")
    thing.pass_index = 3
    view.data.dof.use_dof = True
    before = snapshot()

    def broken(scene):
        raise RuntimeError("the renderer is gone")

    monkeypatch.setattr(label_pass, "render_still", broken)
    with pytest.raises(RuntimeError):
        rendered(scene)
    assert snapshot() == before


def test_render_handlers_of_other_add_ons_are_not_called(scene, view, pixels):
    assign(scene, pixels.box("Thing", (10, 10, 20, 20)), "rock")
    called = []
    watch = lambda *arguments: called.append(arguments)  # noqa: E731
    for name in ("render_pre", "render_post", "render_write", "render_complete", "render_init"):
        getattr(bpy.app.handlers, name).append(watch)
    try:
        rendered(scene)
        assert called == [] and watch in bpy.app.handlers.render_pre
    finally:
        for name in ("render_pre", "render_post", "render_write", "render_complete", "render_init"):
            getattr(bpy.app.handlers, name).remove(watch)


def test_a_scene_without_a_camera_says_how_to_get_one(scene, pixels):
    assign(scene, pixels.box("Thing", (10, 10, 20, 20)), "rock")
    with pytest.raises(NoCameraError) as raised:
        rendered(scene)
    assert "camera" in raised.value.message and raised.value.fix


def test_a_scene_without_labels_says_how_to_give_them(scene, view, pixels):
    thing = pixels.box("Thing", (10, 10, 20, 20))
    with pytest.raises(NothingLabelledError) as raised:
        rendered(scene)
    assert raised.value.fix
    assign(scene, thing, "rock")
    thing.hide_render = True
    pixels.box("Other", (30, 30, 40, 40))
    with pytest.raises(NothingLabelledError, match="camera sees nothing"):
        rendered(scene)


def test_a_size_that_cannot_be_rendered_is_refused(scene, view, pixels):
    assign(scene, pixels.box("Thing", (10, 10, 20, 20)), "rock")
    with pytest.raises(BadShapeError):
        rendered(scene, (64, 0))


def test_labels_of_large_ids_and_another_background_come_out(scene, view, pixels):
    wanted = settings(scene)
    wanted.custom_label_set = (
        'name = "big"\nignore_id = 65535\n[[classes]]\nid = 40000\nname = "far"\ncolor = "#000000"\n'
        '[[classes]]\nid = 3\nname = "void"\ncolor = "#ffffff"\n'
    )
    wanted.label_set = "CUSTOM"
    assign(scene, pixels.box("Thing", (10, 10, 20, 20)), "far")
    found = rendered(scene)
    assert found.dtype == np.uint16 and found[15, 15] == 40000
    assert found[0, 0] == 65535, "the set has no sky: what is seen is anything"
    wanted.background_class = "void"
    assert rendered(scene)[0, 0] == 3


def test_progress_is_told_from_nothing_to_all(scene, view, pixels):
    assign(scene, pixels.box("Thing", (10, 10, 20, 20)), "rock")
    told = []
    render_label_map(scene, (32, 32), told.append)
    assert told[0] == 0.0 and told[-1] == 1.0 and told == sorted(told)


def test_linked_library_objects_keep_their_labels_and_are_left_alone(scene, view, pixels, tmp_path):
    library = tmp_path / "Bücher.blend"
    pixels.box("Linked", (10, 10, 20, 20), materials=(pixels.material("Linked stuff"),))
    bpy.data.libraries.write(str(library), {bpy.data.objects["Linked"]})
    bpy.data.objects.remove(bpy.data.objects["Linked"])
    bpy.data.materials.remove(bpy.data.materials["Linked stuff"])
    with bpy.data.libraries.load(str(library), link=True) as (_, wanted):
        wanted.objects = ["Linked"]
    thing = bpy.data.objects["Linked"]
    scene.collection.objects.link(thing)
    assign(scene, thing, "snow")
    assert (
        thing.library is not None and rendered(scene)[15, 15] == ids(scene)["snow"] and thing.pass_index == 0
    )
    assign(scene, thing.material_slots[0].material, "sand")
    assert rendered(scene)[15, 15] == ids(scene)["sand"]
    path = str(tmp_path / "scene.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    assert rendered(bpy.context.scene)[15, 15] == 10


def test_volumes_and_holdouts_count_as_what_is_behind_the_scene(scene, view, pixels):
    assign(scene, pixels.box("Thing", (10, 10, 20, 20)), "rock")
    assign(
        scene, pixels.box("Hole", (30, 10, 40, 20), materials=(pixels.shader("ShaderNodeHoldout"),)), "sand"
    )
    masked = pixels.box("Masked", (30, 30, 40, 40))
    masked.is_holdout = True
    assign(scene, masked, "sand")
    expected = np.full((HEIGHT, WIDTH), ids(scene)["sky"])
    expected[10:20, 10:20] = ids(scene)["rock"]
    np.testing.assert_array_equal(rendered(scene), expected)


def test_the_users_own_render_result_is_kept(scene, view, pixels, tmp_path):
    assign(scene, pixels.box("Thing", (10, 10, 20, 20)), "rock")
    scene.render.engine, scene.cycles.samples, scene.render.resolution_percentage = "CYCLES", 1, 50
    bpy.ops.render.render()
    before, after = tmp_path / "before.png", tmp_path / "after.png"
    bpy.data.images["Render Result"].save_render(str(before))
    rendered(scene)
    bpy.data.images["Render Result"].save_render(str(after))
    assert before.read_bytes() == after.read_bytes()
