# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels taken in the background: the same to the byte as taken here, of the scene as it was at the press."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from spade_backdrops import session  # noqa: E402
from spade_backdrops.bridge.jobs import JobState, SceneRequest  # noqa: E402
from spade_backdrops.contract.errors import BlocksHiddenError, NothingLabelledError  # noqa: E402
from spade_backdrops.label_taking import current_labels  # noqa: E402
from spade_backdrops.scene.blocks import hide_blocks  # noqa: E402
from spade_backdrops.scene.coverage import last_coverage  # noqa: E402
from spade_backdrops.scene.label_pass import render_label_map  # noqa: E402
from spade_backdrops.scene.label_rules import assign, scene_label_set  # noqa: E402
from spade_backdrops.scene.scene_file import only_here  # noqa: E402

from tests.addon.serving import until  # noqa: E402

SHAPE = (48, 64)
ALL = (0, 0, 64, 48)


@pytest.fixture
def view(scene, pixels):
    return pixels.camera()


@pytest.fixture(scope="module", autouse=True)
def _no_process_is_left(addon):
    yield
    current_labels().close()


def press(scene, shape=SHAPE):
    """A job whose labels are taken in the background."""
    labels, label_set = current_labels(), scene_label_set(scene)
    wanted = labels.write(scene, shape)
    empty = np.full(shape, label_set.ignore_id, label_set.dtype)
    request = SceneRequest(
        empty, label_set, "landscape", 0, scene.session_uid, scene.name, "", scene.camera.name
    )
    job = board().add(request, state=JobState.TAKING)
    labels.add(job, wanted)
    return job


def board():
    return session.current_session().board


def taken(job):
    """Its label map, when it is there; raises what went wrong."""
    until(lambda: job.state is not JobState.TAKING, current_labels().step, 60)
    if job.error is not None:
        raise job.error
    assert job.state is JobState.WAITING
    board().cancel(job)
    return job.request.label_map


def until_it_works(job):
    """Until the process is at the job."""
    until(lambda: current_labels().worker.is_ready, current_labels().step, 60)
    assert job.state is JobState.TAKING


def gone(pid):
    if os.name == "nt":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return (
        Path(f"/proc/{pid}/stat").exists() and Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] == "Z"
    )


# --- hard scenes ---


def instances(scene, pixels, tmp_path):
    for rectangle, name, label in (((0, 0, 4, 4), "Bäume 木", "tree"), ((0, 0, 6, 3), "Rocks", "rock")):
        source = pixels.source_collection(name, rectangle)
        assign(scene, source, label)
        pixels.geometry_nodes_instances(source, [(6, 5 if label == "tree" else 20), (33, 9)])
        pixels.instance(source, (50, 30 if label == "tree" else 40))


def materials_from_nodes(scene, pixels, tmp_path):
    water = pixels.principled("Water", Alpha=0.3)
    assign(scene, water, "water")
    pixels.set_material_by_nodes(pixels.box("Lake", (0, 30, 64, 48), 5), water)


def linked_collection(scene, pixels, tmp_path):
    """A library beside the file, by a relative path."""
    grove = pixels.source_collection("Grove", (0, 0, 8, 8))
    assign(scene, grove, "tree")
    library = tmp_path / "Bibliothek 库.blend"
    bpy.data.libraries.write(str(library), {grove}, fake_user=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "main.blend"))
    bpy.data.batch_remove([grove.objects[0], grove])
    with bpy.data.libraries.load(str(library), link=True, relative=True) as (_, wanted):
        wanted.collections = ["Grove"]
    assert bpy.data.libraries[0].filepath.startswith("//")
    pixels.instance(bpy.data.collections["Grove"], (20, 10))


def volumes(scene, pixels, tmp_path):
    assign(scene, pixels.block("Fog", (10, 0, 30, 48), (3, 6), pixels.fog(1.0)), "water")
    pixels.block("Haze", (34, 0, 60, 48), (3, 6), pixels.fog(1.0))


def cut_outs(scene, pixels, tmp_path):
    leaves = pixels.cut_out("Leaves")
    bpy.data.images["Leaves"].pack()
    assign(scene, pixels.box("Card", (8, 8, 40, 24), 6, (leaves,)), "tree")


def unkeyed_moves(scene, pixels, tmp_path):
    thing = pixels.box("House", (4, 4, 14, 14), 6)
    assign(scene, thing, "building")
    thing.keyframe_insert("location", frame=1)
    thing.location = (30, 0, -12)


def markers(scene, pixels, tmp_path):
    other = bpy.data.objects.new("Other", scene.camera.data)
    other.location, other.rotation_euler = (20, -10, 0), scene.camera.rotation_euler
    scene.collection.objects.link(other)
    scene.timeline_markers.new("cut", frame=1).camera = other
    assign(scene, pixels.box("Rock", (4, 4, 14, 14), 6), "rock")


def hidden_blocks(scene, pixels, tmp_path):
    assign(scene, pixels.box("Rock", (4, 4, 14, 14), 6), "rock")
    bpy.context.view_layer.update()
    hide_blocks(scene)


def another_layer(scene, pixels, tmp_path):
    left_out = pixels.collection("Left out")
    assign(scene, pixels.box("Rock", (4, 4, 14, 14), 6, inside=left_out), "rock")
    assign(scene, pixels.box("Tree", (24, 4, 34, 14), 6), "tree")
    layer = scene.view_layers.new("Ansicht 层")
    layer.layer_collection.children["Left out"].exclude = True
    bpy.context.window.view_layer = layer


def edit_mode(scene, pixels, tmp_path):
    import bmesh

    thing = pixels.box("Rock", (4, 4, 14, 14), 6)
    assign(scene, thing, "rock")
    bpy.context.view_layer.objects.active = thing
    bpy.ops.object.mode_set(mode="EDIT")
    mesh = bmesh.from_edit_mesh(thing.data)
    for vertex in mesh.verts:
        vertex.co.x += 20
    bmesh.update_edit_mesh(thing.data)
    thing.update_from_editmode()


HARD = (
    instances,
    materials_from_nodes,
    linked_collection,
    volumes,
    cut_outs,
    unkeyed_moves,
    markers,
    hidden_blocks,
    another_layer,
    edit_mode,
)


@pytest.mark.parametrize("build", HARD, ids=lambda build: build.__name__)
def test_the_label_map_is_to_the_byte_that_of_the_direct_pass(scene, view, pixels, tmp_path, build):
    assign(scene, pixels.box("Ground", (0, 36, 64, 48), 20), "grass")
    pixels.box("Bare", (58, 0, 64, 10), 9)
    build(scene, pixels, tmp_path)
    bpy.context.view_layer.update()
    assert only_here(scene) is None
    found = taken(press(scene))
    coverage = last_coverage(scene)
    direct = render_label_map(scene, SHAPE)
    assert found.dtype == direct.label_map.dtype and found.tobytes() == direct.label_map.tobytes()
    assert len(np.unique(found)) >= 3
    assert coverage == last_coverage(scene)


def test_what_happens_after_the_press_does_not_change_the_labels(scene, view, pixels):
    rock = pixels.box("Rock", (4, 4, 14, 14), 6)
    assign(scene, rock, "rock")
    bpy.context.view_layer.update()
    before = render_label_map(scene, SHAPE).label_map
    bpy.ops.ed.undo_push(message="before")
    scene.frame_current = 5
    bpy.ops.ed.undo_push(message="later")
    job = press(scene)
    rock.location.x = 30
    bpy.ops.ed.undo()
    bpy.data.objects.remove(bpy.data.objects["Rock"])
    np.testing.assert_array_equal(taken(job), before)


def test_the_users_file_is_as_it_was(scene, view, pixels, snapshot, tmp_path):
    assign(scene, pixels.box("Rock", (4, 4, 14, 14), 6), "rock")
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "mine.blend"))
    scene = bpy.context.scene
    unkeyed_moves(scene, pixels, tmp_path)
    bpy.context.view_layer.update()
    called = []
    bpy.app.handlers.save_pre.append(called.append)
    try:
        before, preferences = snapshot(), bpy.context.preferences.is_dirty
        taken(press(scene))
        assert snapshot() == before and bpy.context.preferences.is_dirty == preferences
    finally:
        bpy.app.handlers.save_pre.remove(called.append)
    assert bpy.data.filepath == str(tmp_path / "mine.blend") and not called
    assert tuple(bpy.data.objects["House"].location) == (30, 0, -12)
    assert [file.name for file in tmp_path.iterdir()] == ["mine.blend"]


@pytest.mark.skipif(
    not Path("/proc/self/environ").exists(), reason="a process's environment is read in /proc"
)
def test_the_process_has_a_profile_of_its_own(scene, view, pixels):
    """What Blender does with extensions when it starts is done to another folder than the user's."""
    assign(scene, pixels.box("Rock", (4, 4, 14, 14), 6), "rock")
    job = press(scene)
    until_it_works(job)
    environment = Path(f"/proc/{current_labels().worker.pid}/environ").read_bytes().split(b"\0")
    (profile,) = (each for each in environment if each.startswith(b"BLENDER_USER_RESOURCES="))
    users = Path(bpy.utils.resource_path("USER")).resolve()
    assert not users.is_relative_to(Path(profile.partition(b"=")[2].decode()).resolve())
    taken(job)


def test_what_the_pass_refuses_is_the_same_sentence(scene, view, pixels):
    thing = pixels.box("Rock", (4, 4, 14, 14), 6)
    assign(scene, thing, "rock")
    thing.location.x = 500
    with pytest.raises(NothingLabelledError, match="camera sees nothing"):
        taken(press(scene))
    thing.location.x, thing.hide_render = 0, True
    with pytest.raises(BlocksHiddenError, match="all of it is hidden"):
        taken(press(scene))


def test_several_sizes_and_scenes_are_taken_one_after_the_other(scene, view, pixels):
    assign(scene, pixels.box("Rock", (4, 4, 14, 14), 6), "rock")
    bpy.ops.scene.new(type="LINK_COPY")
    other = bpy.context.scene
    jobs = [press(scene, (96, 128)), press(other, (24, 32))]
    assert [taken(job).shape for job in jobs] == [(96, 128), (24, 32)]


def test_cancelling_ends_the_work_at_once_and_the_next_press_is_served(scene, view, pixels):
    assign(scene, pixels.box("Rock", (4, 4, 14, 14), 6), "rock")
    job = press(scene, (2048, 2048))
    until_it_works(job)
    at_work = current_labels().worker.pid
    board().cancel(job)
    current_labels().step()
    assert current_labels().is_idle
    until(lambda: gone(at_work), lambda: None, 10)
    assert taken(press(scene)).shape == SHAPE and job.state is JobState.CANCELLED


def test_a_newer_press_takes_the_place_of_an_older_one(scene, view, pixels):
    assign(scene, pixels.box("Rock", (4, 4, 14, 14), 6), "rock")
    older, newer = press(scene, (2048, 2048)), press(scene)
    assert older.state is JobState.CANCELLED
    assert taken(newer).shape == SHAPE


def test_loading_another_file_cancels_and_leaves_no_file(scene, view, pixels):
    assign(scene, pixels.box("Rock", (4, 4, 14, 14), 6), "rock")
    job = press(scene, (2048, 2048))
    until_it_works(job)
    at_work, file = current_labels().worker.pid, next(iter(current_labels().folder.glob("scene-*.blend")))
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    assert job.state is JobState.CANCELLED and not file.exists()
    until(lambda: gone(at_work), lambda: None, 10)


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_killed_process_costs_nothing_and_one_that_dies_again_is_a_sentence(scene, view, pixels):
    assign(scene, pixels.box("Rock", (4, 4, 14, 14), 6), "rock")
    job = press(scene)
    os.kill(current_labels().worker.pid, signal.SIGKILL)
    assert taken(job).shape == SHAPE

    job = press(scene, (4096, 4096))
    for _ in range(2):
        until_it_works(job)
        pid = current_labels().worker.pid
        os.kill(pid, signal.SIGKILL)
        until(
            lambda pid=pid: job.error or (current_labels().worker and current_labels().worker.pid != pid),
            current_labels().step,
        )
    assert job.error.code == "UNAVAILABLE" and "Generate again" in job.error.fix
    assert current_labels().works, "it has begun each time: the next press may have it again"
    assert taken(press(scene)).shape == SHAPE


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_when_this_blender_is_killed_the_process_and_its_files_go(addon, tmp_path):
    script = (
        "import sys, os, time; sys.path.insert(0, sys.argv[1])\n"
        "import bpy, spade_backdrops; spade_backdrops.register()\n"
        "from spade_backdrops.label_taking import current_labels\n"
        "current_labels().warm(); worker = current_labels().worker\n"
        "while not worker.is_ready: time.sleep(0.05)\n"
        "print('PID', worker.pid, current_labels().folder, flush=True); time.sleep(60)\n"
    )
    import spade_backdrops

    stage = Path(spade_backdrops.__file__).parents[1]
    with subprocess.Popen(
        [sys.executable, "-c", script, str(stage)], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        line = next(line for line in other.stdout if line.startswith("PID"))
        _, pid, folder = line.strip().split(" ", 2)
        other.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while not (gone(int(pid)) and not Path(folder).exists()):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_what_only_this_blender_knows_is_taken_here(scene, view, pixels):
    assert only_here(scene) is None
    card = pixels.cut_out("Painted")
    pixels.box("Card", ALL, 6, (card,))
    assert "not saved" in str(only_here(scene))
    bpy.data.images["Painted"].pack()
    assert only_here(scene) is None

    curve = scene.camera.driver_add("location", 0)
    curve.driver.type, curve.driver.expression = "SCRIPTED", "frame * 2"
    assert only_here(scene) is None, "Blender works out simple expressions without Python"
    curve.driver.expression = "__import__('math').pi"
    assert "Python" in str(only_here(scene))
    scene.camera.driver_remove("location", 0)
    assert only_here(scene) is None

    host = pixels.box("Grass", ALL, 6)
    tree = pixels.geometry_nodes(host)
    tree.nodes.new("GeometryNodeSimulationInput").pair_with_output(
        tree.nodes.new("GeometryNodeSimulationOutput")
    )
    assert "simulate" in str(only_here(scene))
