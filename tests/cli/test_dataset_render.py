# SPDX-License-Identifier: Apache-2.0
"""spade dataset render: the real command, real Blender in its own process, killed and resumed."""

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from build_steps.staging import stage
from spade_core import blender
from spade_core.contract.errors import SpadeError, UnavailableError
from spade_core.data.checks.checks import check
from spade_core.data.layouts.layouts import find_pairs, label_set_of
from spade_core.data.pairs import read_pair
from tests.support.small_disk import assert_told_full, command, grown, small_disk

needs_blender = pytest.mark.skipif(
    importlib.util.find_spec("bpy") is None, reason="there is no Blender module for this Python"
)
YARD = """
import math, sys
sys.path.insert(0, sys.argv[1])
import bpy, spade_backdrops
from spade_backdrops.scene.label_rules import auto_assign
bpy.ops.wm.read_factory_settings(use_empty=True)
spade_backdrops.register()
scene = bpy.context.scene
bpy.ops.object.camera_add(location=(0, -20, 3), rotation=(math.radians(87), 0, 0))
scene.camera = bpy.context.object
bpy.ops.object.light_add(type="SUN")
bpy.ops.mesh.primitive_plane_add(size=300)
bpy.context.object.name = "Grass"
for name, x, y in (("Rock", -5, 4), ("House", 4, 9), ("Tree", 0, 16)):
    bpy.ops.mesh.primitive_cube_add(size=6, location=(x, y, 2))
    bpy.context.object.name = name
auto_assign(scene)
bpy.ops.wm.save_as_mainfile(filepath=sys.argv[2])
spade_backdrops.unregister()
"""


@pytest.fixture(autouse=True)
def the_module(monkeypatch):
    """Whatever `blender` this machine has, these tests are about the module beside them."""
    places = os.environ["PATH"].split(os.pathsep)
    without = [place for place in places if shutil.which("blender", path=place) is None]
    monkeypatch.setenv("PATH", os.pathsep.join(without))
    monkeypatch.delenv(blender.CHOSEN, raising=False)


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("blend") / "Höfe 1.blend"
    words = [sys.executable, "-c", YARD, str(stage().parent), str(file)]
    subprocess.run(words, check=True, capture_output=True, timeout=120)
    return file


def words(scene, folder, count=4):
    small = ["--size", "32", "24", "--samples", "1", "--val-every", "2"]
    return ["dataset", "render", str(scene), "-o", str(folder), "--count", str(count), *small]


def pixels(folder):
    return {
        file.relative_to(folder).as_posix(): np.asarray(Image.open(file)).tolist()
        for file in sorted(folder.rglob("0*.png"))
    }


@needs_blender
def test_a_scene_becomes_a_data_set_and_stays_as_it_was(spade, scene, tmp_path):
    before = scene.read_bytes(), scene.stat().st_mtime_ns
    ended = spade(*words(scene, tmp_path / "set"))
    assert ended.code == 0 and "4 rendered" in ended.out and "4 of 4" in ended.err
    assert (scene.read_bytes(), scene.stat().st_mtime_ns) == before
    label_set = label_set_of(tmp_path / "set")
    pairs = find_pairs(tmp_path / "set", "train")
    assert len(pairs) == 2 and all(read_pair(pair, label_set)[0].size == (32, 24) for pair in pairs)
    assert check(tmp_path / "set", "auto", label_set, batch=2, size=24).errors == 0
    again = spade(*words(scene, tmp_path / "set"))
    assert again.code == 0 and "0 rendered" in again.out


@needs_blender
def test_a_run_that_was_killed_goes_on_and_leaves_no_blender_behind(spade, scene, tmp_path):
    command = [sys.executable, "-m", "spade_core.cli", *words(scene, tmp_path / "set", count=40)]
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    index = tmp_path / "set" / "index.csv"
    deadline = time.monotonic() + 300
    while not (index.exists() and index.read_text().count("\n") > 2) and time.monotonic() < deadline:
        time.sleep(0.02)
    run.send_signal(signal.SIGKILL)
    run.wait()
    settled = -1
    while settled != (settled := index.read_text().count("\n")):  # Blender leaves with whoever started it
        time.sleep(3.0)
    assert settled < 40
    whole = tmp_path / "whole"
    count = settled + 1
    for folder in (tmp_path / "set", whole):
        assert spade(*words(scene, folder, count)).code == 0
    assert pixels(tmp_path / "set") == pixels(whole) and len(pixels(whole)) == 2 * count
    assert index.read_text() == (whole / "index.csv").read_text()


@needs_blender
def test_a_full_disk_is_told_and_with_more_room_the_same_command_goes_on(scene, tmp_path):
    with small_disk(tmp_path / "disk", 64) as disk:
        assert_told_full(command(*words(scene, disk / "set", count=30)))
        whole = (disk / "set" / "index.csv").read_text().count("\n") - 1
        assert 0 < whole < 30
        grown(disk, 4000)
        count = whole + 1
        assert command(*words(scene, disk / "set", count)).stdout.count("1 rendered") == 1
        assert len(pixels(disk / "set")) == 2 * count
        label_set = label_set_of(disk / "set")
        assert check(disk / "set", "auto", label_set, batch=1, size=24).errors == 0


@needs_blender
def test_what_blender_or_the_scene_lacks_is_refused_plainly(spade, scene, tmp_path):
    (tmp_path / "no.blend").write_bytes(b"no scene")
    refused = [
        spade(*words(tmp_path / "missing.blend", tmp_path / "set")),
        spade(*words(scene, tmp_path / "set"), "--blender", "no-such-blender"),
    ]
    assert all(ended.is_a_plain_refusal for ended in refused)
    ended = spade(*words(tmp_path / "no.blend", tmp_path / "set"))
    assert ended.code == 2 and "cannot open" in ended.err and "Traceback" not in ended.err


def a_blender(tmp_path, body):
    """A program that answers as Blender would."""
    program = tmp_path / "blender"
    program.write_text(f"#!{sys.executable}\nimport json, sys, time\n{body}")
    program.chmod(0o755)
    return str(program)


@pytest.mark.skipif(os.name == "nt", reason="a script is no program on Windows")
def test_a_blender_that_breaks_down_is_told_from_one_that_refuses(tmp_path, monkeypatch):
    monkeypatch.setattr(blender, "_staged_addon", lambda: "")
    told = []

    def render(body):
        return blender.render_pairs(
            tmp_path / "a.blend", {"count": 2}, lambda *at: told.append(at), a_blender(tmp_path, body)
        )

    event = "print('spade-pairs: ' + json.dumps({}), flush=True)\n"
    progress = event.format({"kind": "progress", "done": 1, "of": 2})
    assert render(progress + event.format({"kind": "finished", "rendered": 2, "folder": ""})) == 2
    assert told == [(1, 2)]
    with pytest.raises(SpadeError, match="No camera") as caught:
        render(
            event.format({"kind": "failed", "code": "NO_CAMERA", "message": "No camera.", "fix": "Add one."})
        )
    assert caught.value.fix == "Add one."
    with pytest.raises(UnavailableError, match="broke down") as caught:
        render(progress + "print('Segmentation fault'); sys.exit(139)")
    log = Path(caught.value.fix.rpartition(" in ")[2].rstrip("."))
    assert "Segmentation fault" in log.read_text()
    log.unlink()


@pytest.mark.skipif(os.name == "nt", reason="a script is no program on Windows")
def test_stopping_the_command_stops_blender(tmp_path, monkeypatch):
    monkeypatch.setattr(blender, "_staged_addon", lambda: "")
    body = (
        "import os\nprint('spade-pairs: ' + json.dumps({'kind': 'progress', 'done': os.getpid(), 'of': 9}),"
    )
    body += "flush=True)\ntime.sleep(600)"

    class StopError(Exception):
        pass

    seen = []

    def stop(done, of):
        seen.append(done)
        raise StopError

    with pytest.raises(StopError):
        blender.render_pairs(tmp_path / "a.blend", {}, stop, a_blender(tmp_path, body))
    with pytest.raises(ProcessLookupError):
        os.kill(seen[0], 0)


def test_without_any_blender_it_says_where_one_comes_from(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv(blender.CHOSEN, raising=False)
    monkeypatch.setattr(blender.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UnavailableError) as caught:
        blender.command()
    assert "--blender" in caught.value.fix


def test_the_marks_of_launcher_script_and_operator_are_one():
    root = Path(blender.__file__).parent.parent
    said = json.dumps(blender.MARK)
    for file in (blender.SCRIPT, root / "blender_addon" / "operators" / "pairs.py"):
        assert f"MARK = {said}" in file.read_text(encoding="utf-8")
