# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder of training pairs that survives anything."""

import csv
import json
import math
import os

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from mathutils import Matrix  # noqa: E402
from PIL import Image  # noqa: E402
from spade_backdrops.contract.errors import CannotWriteError, NoCameraError, NothingLabelledError  # noqa: E402
from spade_backdrops.contract.labels import load_label_set  # noqa: E402
from spade_backdrops.pairs import pair_folder  # noqa: E402
from spade_backdrops.pairs.pair_set import PairSet  # noqa: E402
from spade_backdrops.scene.label_pass import render_label_map  # noqa: E402
from spade_backdrops.scene.label_rules import scene_label_set  # noqa: E402


def picture(path):
    with Image.open(path) as opened:
        assert opened.mode == "RGB"
        return np.asarray(opened)


@pytest.fixture
def wanted():
    return PairSet(count=3, shape=(24, 32), samples=1, val_every=3)


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

    monkeypatch.setattr(pair_folder.os, "replace", killed_at)
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
    for name, change in (
        ("seed", {"seed": 1}),
        ("samples", {"samples": 2}),
        ("size", {"shape": (48, 64)}),
        ("lights", {"lights": "kept"}),
        ("instances", {"instances": True}),
    ):
        with pytest.raises(CannotWriteError, match=name):
            PairSet(**{**vars(one), **change}).render(yard, tmp_path / "set")
    (tmp_path / "photos" / "images").mkdir(parents=True)
    (tmp_path / "photos" / "images" / "mine.jpg").write_bytes(b"mine")
    with pytest.raises(CannotWriteError, match="other pictures"):
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
    keyed = PairSet(count=3, shape=(24, 32), samples=1, cameras="keyed", lights="kept")
    keyed.render(yard, tmp_path)
    rows = list(csv.DictReader((tmp_path / "index.csv").read_text().splitlines()))
    assert [(row["frame"], row["camera"]) for row in rows] == [
        ("1", "Eye"), ("11", "Eye"), ("21", "Other"),
    ]  # fmt: skip
    assert yard.frame_current == before
    seen = [
        {name: float(row[name]) for name in ("x", "y", "z", "qw", "qx", "qy", "qz", "lens")} for row in rows
    ]
    for row, frame in zip(seen, (1, 11), strict=False):
        yard.frame_set(frame)
        expected = (*camera.matrix_world.translation, *camera.matrix_world.to_quaternion(), camera.data.lens)
        np.testing.assert_allclose(list(row.values()), expected, atol=1e-4)
    assert seen[0]["x"] != seen[1]["x"], "where it stood in the picture, not where it stands now"
    maps = [np.asarray(Image.open(tmp_path / "labels" / f"{n:06}.png")) for n in range(3)]
    assert (maps[0] != maps[1]).any() and (maps[1] != maps[2]).any()
    yard.frame_set(11)
    yard.camera = camera
    np.testing.assert_array_equal(maps[1], render_label_map(yard, (24, 32)).label_map)


def test_placed_cameras_take_turns(yard, tmp_path):
    other = bpy.data.objects.new("A second", yard.camera.data.copy())
    other.data.shift_x, other.data.shift_y, other.data.sensor_width = 0.1, -0.05, 22.0
    other.matrix_world = Matrix.Translation((5.0, 0.0, 3.0)) @ yard.camera.matrix_world
    yard.collection.objects.link(other)
    PairSet(3, (24, 32), samples=1, cameras="placed").render(yard, tmp_path)
    rows = list(csv.DictReader((tmp_path / "index.csv").read_text().splitlines()))
    assert [row["camera"] for row in rows] == ["A second", "Eye", "A second"]
    whole = [tuple(float(row[name]) for name in ("shift_x", "shift_y", "sensor")) for row in rows]
    np.testing.assert_allclose(whole[0], (0.1, -0.05, 22.0), atol=1e-6)
    assert whole[1] == (0.0, 0.0, yard.camera.data.sensor_width)


def test_what_a_scene_lacks_is_said(scene, pixels, tmp_path):
    with pytest.raises(NoCameraError):
        PairSet(1, (24, 32)).render(scene, tmp_path / "a")
    pixels.camera()
    pixels.box("Thing", (10, 10, 20, 20))
    with pytest.raises(NothingLabelledError) as refused:
        PairSet(1, (24, 32), samples=1).render(scene, tmp_path / "b")
    assert "--label-by-name" in refused.value.fix
    assert not list((tmp_path / "b").rglob("0*.png"))


def test_a_folder_that_cannot_be_made_is_said(yard, wanted, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CannotWriteError):
        wanted.render(yard, tmp_path / "file")
