# SPDX-License-Identifier: GPL-3.0-or-later
"""Training pairs: picture and labels from one render, views a camera could have, a folder that survives anything."""

import csv
import json
import math
import os

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from mathutils import Matrix, Vector  # noqa: E402
from PIL import Image  # noqa: E402
from spade_backdrops.contract.errors import CannotWrite, NoCamera, NothingLabelled  # noqa: E402
from spade_backdrops.contract.labels import load_label_set  # noqa: E402
from spade_backdrops.scene import pair_pass, pair_set  # noqa: E402
from spade_backdrops.scene.daylight import Daylight  # noqa: E402
from spade_backdrops.scene.example import build_example  # noqa: E402
from spade_backdrops.scene.label_pass import render_label_map  # noqa: E402
from spade_backdrops.scene.label_rules import assign, auto_assign, scene_label_set  # noqa: E402
from spade_backdrops.scene.pair_pass import Shot, render_pair  # noqa: E402
from spade_backdrops.scene.pair_set import PairSet  # noqa: E402
from spade_backdrops.scene.wander import View, Wanderer  # noqa: E402

SIZE = (64, 48)


@pytest.fixture
def view(scene, pixels):
    """A metre is a pixel; a white world lights everything."""
    scene.world = bpy.data.worlds.new("White")
    scene.world.color = (1.0, 1.0, 1.0)
    for node in scene.world.node_tree.nodes if scene.world.node_tree else ():
        if node.type == "BACKGROUND":
            node.inputs["Color"].default_value = (1.0, 1.0, 1.0, 1.0)
    return pixels.camera()


@pytest.fixture
def valley(scene):
    build_example(scene)
    auto_assign(scene)
    return scene


@pytest.fixture
def yard(scene, pixels):
    """A few boxes on a plane under a sun, seen by a camera at eye height: quick to render."""
    camera = pixels.camera()
    camera.name, camera.data.type, camera.location = "Eye", "PERSP", (0, -20, 3)
    camera.rotation_euler = (math.radians(87), 0, 0)
    scene.collection.objects.link(bpy.data.objects.new("Sun", bpy.data.lights.new("Sun", "SUN")))
    bpy.ops.mesh.primitive_plane_add(size=300)
    bpy.context.object.name = "Grass"
    for name, x, y in (("Rock", -5, 4), ("House", 4, 9), ("Tree", 0, 16), ("Mountain", -9, 40)):
        bpy.ops.mesh.primitive_cube_add(size=6, location=(x, y, 2))
        bpy.context.object.name = name
    auto_assign(scene)
    bpy.context.view_layer.update()
    return scene


def ids(scene):
    return {entry.name: entry.id for entry in scene_label_set(scene).classes}


def picture(path):
    with Image.open(path) as opened:
        assert opened.mode == "RGB"
        return np.asarray(opened)


def painted(pixels, name, color):
    """A material that glows in a colour, whatever the light."""
    material = pixels.shader("ShaderNodeEmission")
    material.name = name
    material.node_tree.nodes["Emission"].inputs["Color"].default_value = (*color, 1.0)
    return material


def test_picture_and_labels_show_the_same_thing_in_every_pixel(scene, view, pixels, tmp_path):
    """A wide filter, depth of field, motion blur and many samples: all of the user's, none moves a label."""
    scene.view_settings.view_transform = "Standard"
    scene.view_settings.look = "None"
    random = np.random.default_rng(0)
    for number, name in enumerate(("rock", "grass", "tree", "water", "snow", "rock")):
        left, top = int(random.integers(0, 40)), int(random.integers(0, 30))
        material = painted(pixels, f"m{number}", random.uniform(0.2, 0.8, 3))
        box = pixels.box(f"b{number}", (left, top, left + 20, top + 15), 10.0 - number, (material,))
        assign(scene, material if number % 2 else box, name)
    view.data.dof.use_dof, view.data.dof.aperture_fstop = True, 0.01
    scene.render.use_motion_blur = scene.render.use_border = True
    scene.cycles.samples, scene.cycles.filter_width, scene.cycles.sample_offset = 3, 3.0, 5
    scene.frame_set(4)
    pair = render_pair(scene, Shot(view, 4), SIZE, 16, tmp_path / "p.png")
    expected = render_label_map(scene, SIZE)
    np.testing.assert_array_equal(pair.labels.label_map, expected.label_map)
    rgb = picture(tmp_path / "p.png").astype(int)
    assert rgb.shape == (48, 64, 3)
    borders = np.zeros(SIZE[::-1], bool)
    label_map = pair.labels.label_map
    borders[:, 1:] |= label_map[:, 1:] != label_map[:, :-1]
    borders[1:] |= label_map[1:] != label_map[:-1]
    steps = np.zeros(SIZE[::-1], bool)
    steps[:, 1:] |= np.abs(rgb[:, 1:] - rgb[:, :-1]).max(-1) > 25
    steps[1:] |= np.abs(rgb[1:] - rgb[:-1]).max(-1) > 25
    near = borders.copy()
    for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        near |= np.roll(borders, (dy, dx), (0, 1))
    assert (steps & ~near).sum() < 0.25 * steps.sum(), "colours change where labels do"


def test_the_users_file_is_as_it_was_even_when_the_render_fails(valley, snapshot, tmp_path, monkeypatch):
    valley.camera.data.dof.use_dof = True
    valley.objects["Sun"].pass_index = 5
    before = snapshot()
    view, day = Wanderer(valley).view(np.random.default_rng(0)), Daylight(0.5, 1.0, 2.0, 0.5)
    shot = Shot(valley.camera, 7, view, day)
    render_pair(valley, shot, (32, 18), 1, tmp_path / "p.png", with_instances=True)
    assert snapshot() == before

    def broken(scene):
        raise RuntimeError("the renderer is gone")

    monkeypatch.setattr(pair_pass, "render_still", broken)
    with pytest.raises(RuntimeError):
        render_pair(valley, shot, (32, 18), 1, tmp_path / "p.png")
    assert snapshot() == before


def test_copies_of_one_thing_are_different_instances(scene, view, pixels, tmp_path):
    source = pixels.source_collection("Tree", (0, 0, 6, 6))
    assign(scene, source.objects[0], "tree")
    for corner in ((4, 4), (20, 4), (4, 20)):
        pixels.instance(source, corner)
    assign(scene, pixels.box("Rock", (40, 10, 50, 20)), "rock")
    pair = render_pair(scene, Shot(view, 1), SIZE, 2, tmp_path / "p.png", with_instances=True)
    plain = render_pair(scene, Shot(view, 1), SIZE, 2, tmp_path / "p.png")
    np.testing.assert_array_equal(pair.labels.label_map, plain.labels.label_map)
    numbers = {int(pair.instances[y, x]) for y, x in ((6, 6), (6, 22), (22, 6), (12, 45))}
    assert len(numbers) == 4 and pair.instances[0, 0] == 0 and 0 not in numbers
    assert all((pair.instances == number).sum() in (36, 100) for number in numbers)


def test_the_sun_comes_from_where_it_was_drawn(scene, pixels, tmp_path):
    """A cube from above: the side towards the sun is the brighter one."""
    bpy.ops.mesh.primitive_cube_add(size=10)
    cube = bpy.context.object
    assign(scene, cube, "rock")
    camera = pixels.camera()
    camera.location, camera.rotation_euler, camera.data.ortho_scale = (
        (0, -30, 30),
        (math.radians(45), 0, 0),
        16,
    )
    brightness = {}
    for name, azimuth in (("behind the camera", math.pi), ("facing the camera", 0.0)):
        day = Daylight(math.radians(20), azimuth, 1.0, 1.0)
        render_pair(scene, Shot(camera, 1, None, day), SIZE, 8, tmp_path / "p.png")
        brightness[name] = picture(tmp_path / "p.png")[36, 32].mean()  # the face towards the camera
    assert brightness["behind the camera"] > 3 * brightness["facing the camera"]


def test_daylight_is_drawn_by_day_and_warm_when_low():
    drawn = [Daylight.drawn(np.random.default_rng(seed)) for seed in range(50)]
    assert all(math.radians(5) < day.elevation < math.radians(72) for day in drawn)
    low, high = min(drawn, key=lambda day: day.elevation), max(drawn, key=lambda day: day.elevation)
    assert low.color[2] < high.color[2] and len({day.azimuth for day in drawn}) == 50


def test_drawn_views_stay_above_ground_outside_of_things_and_keep_the_horizon(valley):
    wanderer = Wanderer(valley)
    home = valley.camera.matrix_world.translation
    places = []
    for seed in range(40):
        view = wanderer.view(np.random.default_rng(seed))
        place = view.matrix.translation
        places.append(tuple(place))
        found, ground, normal, *_ = valley.ray_cast(
            bpy.context.evaluated_depsgraph_get(), place, Vector((0, 0, -1))
        )
        assert not found or (normal.z > 0 and place.z - ground.z > 1.0)
        assert (Vector((place.x, place.y)) - Vector((home.x, home.y))).length <= wanderer.spread + 1e-4
        assert abs(math.asin((view.matrix.to_3x3() @ Vector((0, 0, -1))).z)) < math.radians(25)
        assert 0.65 < view.zoom < 1.5
    assert len(set(places)) > 30
    again = Wanderer(valley).view(np.random.default_rng(7))
    assert tuple(again.matrix.translation) == places[7]


def test_a_camera_in_a_cage_stays_in_it(scene, pixels):
    """Boxes close around the camera on all sides but one: whatever is drawn, it never ends up inside of one."""
    camera = pixels.camera()
    camera.data.type, camera.location = "PERSP", (0, 0, 2)
    for center in ((6, 0, 2), (-6, 0, 2), (0, -6, 2), (0, 0, 9), (0, 20, 2)):
        bpy.ops.mesh.primitive_cube_add(size=8, location=center)
        bpy.context.object.name = f"Rock {center}"
    bpy.ops.mesh.primitive_plane_add(size=200)
    bpy.context.view_layer.update()
    wanderer = Wanderer(scene, spread=12.0)
    for seed in range(25):
        place = wanderer.view(np.random.default_rng(seed)).matrix.translation
        inside = [
            thing.name
            for thing in scene.objects
            if thing.name.startswith("Rock")
            and all(abs(a - b) < 4.0 for a, b in zip(place, thing.location, strict=True))
        ]
        assert not inside and place.z > 0


def test_a_scene_where_nothing_is_seen_elsewhere_is_seen_from_its_own_camera(scene, pixels):
    camera = pixels.camera()
    camera.data.type = "PERSP"
    pixels.box("Card", (31, 23, 33, 25), distance=2)
    bpy.context.view_layer.update()
    view = Wanderer(scene, spread=5000.0).view(np.random.default_rng(0))
    assert (view.matrix.translation - camera.location).length < 2500.0


@pytest.fixture
def wanted():
    return PairSet(count=3, size=(32, 24), samples=1, val_every=3)


def contents(folder):
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def test_the_folder_is_a_data_set_with_its_label_set_and_how_each_picture_was_taken(yard, wanted, tmp_path):
    assert wanted.render(yard, tmp_path / "set") == 3
    made = contents(tmp_path / "set")
    names = [f"{number:06}.png" for number in range(3)]
    assert sorted(made) == sorted(
        [f"{kind}/{name}" for kind in ("images", "labels") for name in names]
        + ["index.csv", "label_set.toml", "render.json"]
    )
    rows = list(csv.DictReader(made["index.csv"].decode().splitlines()))
    assert [row["split"] for row in rows] == ["train", "train", "val"]
    assert len({row["seed"] for row in rows}) == 3 and len({row["x"] for row in rows}) == 3
    assert all(0 < float(row["sun_elevation"]) < math.pi / 2 for row in rows)
    label_set = load_label_set(tmp_path / "set" / "label_set.toml")
    assert label_set.digest == scene_label_set(yard).digest
    for name in names:
        with Image.open(tmp_path / "set" / "labels" / name) as opened:
            assert opened.mode == "L" and opened.size == (32, 24)
            assert len(np.unique(label_set.check(np.asarray(opened)))) >= 3
    assert len({made[f"images/{name}"] for name in names}) == 3


@pytest.mark.parametrize("moment", [1, 4, 5, 9])
def test_a_set_that_was_stopped_at_any_moment_ends_as_one_that_was_not(
    yard, wanted, tmp_path, monkeypatch, moment
):
    if not (whole := tmp_path.parent / f"whole-{bpy.app.version_string}").exists():
        wanted.render(yard, whole)
    done, replace = [], os.replace

    class Killed(BaseException):
        pass

    def killed_at(source, target):
        if len(done) == moment - 1:
            raise Killed
        done.append(target)
        replace(source, target)

    monkeypatch.setattr(pair_set.os, "replace", killed_at)
    with pytest.raises(Killed):
        wanted.render(yard, tmp_path / "set")
    monkeypatch.undo()
    wanted.render(yard, tmp_path / "set")
    made, expected = contents(tmp_path / "set"), contents(whole)
    leftovers = [name for name in made if name.rpartition("/")[2].startswith(".")]
    assert {name for name in made if name not in leftovers} == set(expected)
    for name in expected:
        if name.startswith("images"):  # a PNG also carries the time it was rendered
            assert np.array_equal(picture(tmp_path / "set" / name), picture(whole / name))
        else:
            assert made[name] == expected[name], name


def test_more_pictures_leave_those_that_are_there(yard, wanted, tmp_path):
    small = PairSet(**{**vars(wanted), "count": 1})
    small.render(yard, tmp_path)
    first = (tmp_path / "images" / "000000.png").read_bytes()
    told = []
    assert PairSet(**{**vars(wanted), "count": 2}).render(yard, tmp_path, lambda *at: told.append(at)) == 1
    assert (tmp_path / "images" / "000000.png").read_bytes() == first
    assert told == [(0, 2), (1, 2), (2, 2)]


def test_other_settings_and_other_pictures_are_never_mixed_in(yard, wanted, tmp_path):
    one = PairSet(**{**vars(wanted), "count": 1})
    one.render(yard, tmp_path / "set")
    for change in ({"seed": 1}, {"samples": 2}, {"size": (64, 48)}, {"lights": "kept"}, {"instances": True}):
        with pytest.raises(CannotWrite, match=next(iter(change))):
            PairSet(**{**vars(one), **change}).render(yard, tmp_path / "set")
    (tmp_path / "photos" / "images").mkdir(parents=True)
    (tmp_path / "photos" / "images" / "mine.jpg").write_bytes(b"mine")
    with pytest.raises(CannotWrite, match="other pictures"):
        one.render(yard, tmp_path / "photos")
    recipe = json.loads((tmp_path / "set" / "render.json").read_text())
    assert recipe["seed"] == 0 and recipe["size"] == [32, 24]


def test_keyed_cameras_follow_the_frames_and_their_markers(yard, tmp_path):
    camera = yard.camera
    yard.frame_start, yard.frame_end = 1, 21
    for frame, x in ((1, 0.0), (21, 20.0)):
        camera.location.x = x
        camera.keyframe_insert("location", frame=frame)
    other = bpy.data.objects.new("Other", camera.data.copy())
    other.matrix_world = Matrix.Translation((3.0, 0.0, 9.0)) @ camera.matrix_world.to_3x3().to_4x4()
    yard.collection.objects.link(other)
    for frame, bound in ((1, camera), (15, other)):
        yard.timeline_markers.new(bound.name, frame=frame).camera = bound
    before = yard.frame_current
    keyed = PairSet(count=3, size=(32, 24), samples=1, cameras="keyed", lights="kept")
    keyed.render(yard, tmp_path)
    rows = list(csv.DictReader((tmp_path / "index.csv").read_text().splitlines()))
    assert [(row["frame"], row["camera"]) for row in rows] == [
        ("1", "Eye"), ("11", "Eye"), ("21", "Other"),
    ]  # fmt: skip
    assert yard.frame_current == before
    maps = [np.asarray(Image.open(tmp_path / "labels" / f"{n:06}.png")) for n in range(3)]
    assert (maps[0] != maps[1]).any() and (maps[1] != maps[2]).any()
    yard.frame_set(11)
    yard.camera = camera
    np.testing.assert_array_equal(maps[1], render_label_map(yard, (32, 24)).label_map)


def test_placed_cameras_take_turns(yard, tmp_path):
    other = bpy.data.objects.new("A second", yard.camera.data.copy())
    other.matrix_world = Matrix.Translation((5.0, 0.0, 3.0)) @ yard.camera.matrix_world
    yard.collection.objects.link(other)
    PairSet(3, (32, 24), samples=1, cameras="placed").render(yard, tmp_path)
    rows = list(csv.DictReader((tmp_path / "index.csv").read_text().splitlines()))
    assert [row["camera"] for row in rows] == ["A second", "Eye", "A second"]


def test_what_a_scene_lacks_is_said(scene, pixels, tmp_path):
    with pytest.raises(NoCamera):
        PairSet(1, (32, 24)).render(scene, tmp_path / "a")
    pixels.camera()
    pixels.box("Thing", (10, 10, 20, 20))
    with pytest.raises(NothingLabelled):
        PairSet(1, (32, 24), samples=1).render(scene, tmp_path / "b")
    assert not list((tmp_path / "b").rglob("0*.png"))


def test_a_folder_that_cannot_be_made_is_said(yard, wanted, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CannotWrite):
        wanted.render(yard, tmp_path / "file")


def test_the_operator_renders_reports_and_refuses(yard, tmp_path, capfd):
    options = {"count": 1, "width": 32, "height": 24, "samples": 1}
    bpy.ops.spade.render_pairs(directory=str(tmp_path / "Bücher"), **options)
    said = [
        line.removeprefix("spade-pairs: ")
        for line in capfd.readouterr().out.splitlines()
        if "pairs: {" in line
    ]
    events = [json.loads(line) for line in said]
    assert [event["kind"] for event in events] == ["progress", "progress", "finished"]
    assert events[-1]["rendered"] == 1 and (tmp_path / "Bücher" / "labels" / "000000.png").exists()
    with pytest.raises(RuntimeError, match="another seed"):
        bpy.ops.spade.render_pairs(directory=str(tmp_path / "Bücher"), seed=9, **options)
    said = [
        line.removeprefix("spade-pairs: ")
        for line in capfd.readouterr().out.splitlines()
        if "pairs: {" in line
    ]
    failed = json.loads(said[-1])
    assert failed["kind"] == "failed" and failed["code"] == "CANNOT_WRITE" and failed["fix"]


def test_things_are_labelled_by_name_only_if_asked(scene, tmp_path):
    build_example(scene)
    options = {"directory": str(tmp_path), "count": 1, "width": 32, "height": 24, "samples": 1}
    with pytest.raises(RuntimeError, match="label"):
        bpy.ops.spade.render_pairs(**options)
    bpy.ops.spade.render_pairs(label_by_name=True, **options)
    assert (tmp_path / "labels" / "000000.png").exists()


def test_a_view_moves_the_picture_and_zoom_narrows_it(scene, view, pixels, tmp_path):
    box = pixels.box("Box", (30, 20, 40, 30))
    assign(scene, box, "rock")
    bpy.context.view_layer.update()
    camera = scene.camera.matrix_world
    shifted = View(Matrix.Translation((5.0, 0.0, 0.0)) @ camera.to_3x3().to_4x4())
    shifted.matrix.translation += camera.translation
    found = render_pair(scene, Shot(view, 1, shifted), SIZE, 1, tmp_path / "p.png").labels.label_map
    rows, columns = np.nonzero(found == ids(scene)["rock"])
    assert (columns.min(), columns.max()) == (25, 34) and (rows.min(), rows.max()) == (20, 29)
    zoomed = View(camera.copy(), zoom=2.0)
    found = render_pair(scene, Shot(view, 1, zoomed), SIZE, 1, tmp_path / "p.png").labels.label_map
    assert (found == ids(scene)["rock"]).sum() == 400
