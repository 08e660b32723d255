# SPDX-License-Identifier: GPL-3.0-or-later
"""A model that is still being trained, in real Blender with a real server that follows its run folder."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import bpy
import pytest
from spade_backdrops import timer
from spade_backdrops.bridge.connection import ConnectionState
from spade_backdrops.bridge.jobs import JobState
from spade_backdrops.contract.labels import LabelClass
from spade_backdrops.label_set_choice import CUSTOM, label_set_of
from spade_backdrops.operators.label_sets import want_model_label_set
from spade_backdrops.place.image import PROVENANCE
from spade_backdrops.preferences import preferences
from spade_backdrops.properties import settings
from spade_backdrops.scene_job import submit_scene
from spade_backdrops.session import current_session

from spade_core.contract.labels import LabelSet
from tests.addon.drawing import drawn
from tests.addon.serving import command, renew_session, until
from tests.server.trivial import SLOW, write_checkpoint

TAKE_OVER = "Use the Model's Label Set"


def planets(*names: str) -> LabelSet:
    """A label set of somebody's own."""
    return LabelSet("Planeten 星", 1, tuple(LabelClass(id, name, "#AABBCC") for id, name in enumerate(names)))


@pytest.fixture
def run(tmp_path) -> Path:
    folder = tmp_path / "my"
    folder.mkdir()
    return folder


@pytest.fixture
def valley(scene, run):
    """A labelled scene that asks for the run's model; the server starts with the first press."""
    entry = bpy.context.preferences.addons.new()
    entry.module = "spade_backdrops"
    stored = preferences()
    stored.server, stored.server_command = "LOCAL", command("--models", str(run))
    bpy.ops.mesh.primitive_plane_add(size=60)
    bpy.ops.spade.assign_label(kind="OBJECT", class_name="grass")
    camera = bpy.data.objects.new("Kamera", bpy.data.cameras.new("Kamera"))
    camera.location, camera.rotation_euler = (0, -12, 3), (1.4, 0, 0)
    scene.collection.objects.link(camera)
    scene.camera = camera
    settings(scene).width = settings(scene).height = 64
    settings(scene).model = "my"
    current_session().dismiss()
    yield scene
    renew_session()
    bpy.context.preferences.addons.remove(entry)


def connect() -> None:
    bpy.ops.spade.start_server()
    until(lambda: current_session().connection.state is ConnectionState.READY, timer.step)


def shown(sentence: str) -> bool:
    """Whether the main panel says this, on one line or over several, or the menu that has all of a long message."""
    return any(
        sentence in " ".join(drawn(place)) for place in ("SPADE_PT_backdrop", "SPADE_MT_whole_message")
    )


def served_digest() -> str:
    model = current_session().connection.model_named("my")
    return model.digest if model else ""


def test_a_runs_own_label_set_is_taken_over_by_one_click_and_stays_in_the_file(valley, run, tmp_path):
    own = planets("moon", "sky")
    digest = write_checkpoint(run, 2000, own)
    assert TAKE_OVER not in drawn("SPADE_PT_backdrop")
    connect()
    assert shown("trained on the label set 'Planeten 星', the scene uses 'landscape'")
    assert TAKE_OVER in drawn("SPADE_PT_backdrop")
    bpy.ops.spade.use_model_label_set()
    assert TAKE_OVER not in drawn("SPADE_PT_backdrop")
    assert drawn("SPADE_MT_object_class") == ["moon", "sky"]
    bpy.ops.spade.assign_label(kind="OBJECT", class_name="moon")
    file = tmp_path / "Größe.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(file))
    bpy.ops.wm.open_mainfile(filepath=str(file))
    wanted = settings(bpy.context.scene)
    assert wanted.label_set == CUSTOM and label_set_of(wanted).digest == own.digest
    assert bpy.ops.spade.generate() == {"FINISHED"}
    facts = json.loads(next(filter(None, (image.get(PROVENANCE) for image in bpy.data.images))))
    assert (facts["model_digest"], facts["label_set_digest"]) == (digest, own.digest)
    assert "Paints with model_00002000.safetensors" in drawn("SPADE_PT_server")


@pytest.mark.skipif(os.name == "nt", reason="SIGSTOP")
def test_a_server_that_never_answers_for_its_label_set_holds_nothing_up(valley, run):
    """Without a window Blender takes every press for a script's call: this is what a press does."""
    write_checkpoint(run, 2000, planets("moon"))
    connect()
    server = current_session().connection.server.pid
    os.kill(server, signal.SIGSTOP)
    began = time.monotonic()
    want_model_label_set(bpy.context)
    assert time.monotonic() - began < 0.1
    assert shown("Asking for the model's label set") and TAKE_OVER not in drawn("SPADE_PT_backdrop")
    until(lambda: current_session().error, timer.step)
    assert shown("The server does not answer the question") and TAKE_OVER in drawn("SPADE_PT_backdrop")
    os.kill(server, signal.SIGCONT)
    want_model_label_set(bpy.context)
    until(lambda: settings(valley).label_set == CUSTOM, timer.step)
    assert current_session().error is None


def test_leaving_the_server_ends_the_question_for_its_label_set(valley, run):
    write_checkpoint(run, 2000, planets("moon"))
    connect()
    os.kill(current_session().connection.server.pid, signal.SIGSTOP)
    want_model_label_set(bpy.context)
    bpy.ops.spade.stop_server()
    timer.step()
    assert shown("connection to the server was closed") and current_session().wanted_label_set is None


def test_undo_brings_the_scenes_own_label_set_back(valley, run):
    write_checkpoint(run, 2000, planets("moon"))
    connect()
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.spade.use_model_label_set()
    bpy.ops.ed.undo()
    assert settings(bpy.context.scene).label_set == "landscape"
    assert TAKE_OVER in drawn("SPADE_PT_backdrop")


def test_the_panel_notices_that_a_newer_checkpoint_knows_other_labels(valley, run, monkeypatch):
    write_checkpoint(run, 2000)
    connect()
    assert bpy.ops.spade.generate() == {"FINISHED"} and TAKE_OVER not in drawn("SPADE_PT_backdrop")
    write_checkpoint(run, 4000, planets("moon", "grass"))
    redrawn = []
    monkeypatch.setattr(timer, "redraw", lambda: redrawn.append(TAKE_OVER in drawn("SPADE_PT_backdrop")))
    until(lambda: any(redrawn), timer.step)
    bpy.ops.spade.use_model_label_set()
    assert bpy.ops.spade.generate() == {"FINISHED"}

    newest = write_checkpoint(run, 6000, planets("moon", "grass", "comet"))  # the same name, one class more
    until(lambda: served_digest() == newest, timer.step)
    assert shown("trained on the label set 'Planeten 星', the scene uses another version of it")
    bpy.ops.spade.use_model_label_set()
    assert bpy.ops.spade.generate() == {"FINISHED"} and TAKE_OVER not in drawn("SPADE_PT_backdrop")
    assert current_session().board.last_placed.model_digest == newest


def test_a_newer_checkpoint_with_the_same_labels_needs_nothing_of_the_user(valley, run):
    write_checkpoint(run, 2000, shade=1)
    connect()
    assert bpy.ops.spade.generate() == {"FINISHED"}
    newer = write_checkpoint(run, 4000, shade=2)
    until(lambda: served_digest() == newer, timer.step)
    assert (
        bpy.ops.spade.generate() == {"FINISHED"} and current_session().board.last_placed.model_digest == newer
    )
    assert current_session().error is None


def test_a_press_overtaken_by_a_checkpoint_with_other_labels_is_refused_with_the_remedy(valley, run):
    write_checkpoint(run, 2000)
    connect()
    settings(valley).seed = SLOW + 2500
    first = submit_scene(bpy.context)
    until(lambda: first.state is JobState.RUNNING, timer.step)
    other = bpy.data.scenes.new("Zweite")
    other.camera, other.spade.model = valley.camera, "my"
    other.spade.width = other.spade.height = 64
    other.collection.objects.link(valley.camera)
    other.collection.objects.link(bpy.data.objects["Plane"])
    with bpy.context.temp_override(scene=other):
        bpy.ops.spade.assign_label(kind="OBJECT", class_name="grass")
        second = submit_scene(bpy.context)
    until(lambda: second.id, timer.step)
    write_checkpoint(run, 4000, planets("moon"))
    until(lambda: not (first.is_live or second.is_live), timer.step)
    timer.step()
    assert first.state is JobState.PLACED
    assert second.state is JobState.FAILED and second.error.code == "LABEL_SET_MISMATCH"
    assert TAKE_OVER in drawn("SPADE_PT_backdrop")


def test_a_run_without_a_model_is_one_sentence_and_mends_itself(valley, run):
    with pytest.raises(RuntimeError, match="no model yet"):
        bpy.ops.spade.generate()
    assert shown("The run 'my' has no model yet") and shown("as soon as its training writes the first one")
    write_checkpoint(run, 2000)
    until(lambda: current_session().connection.state is ConnectionState.READY, timer.step)
    assert bpy.ops.spade.generate() == {"FINISHED"}


def test_a_run_without_a_model_beside_another_model_is_explained(valley, run):
    preferences().server_command = command("--models", str(run), "landscape")
    with pytest.raises(RuntimeError, match="no model 'my'.*no model yet.*landscape"):
        bpy.ops.spade.generate()
    bpy.ops.spade.use_served_model()
    assert bpy.ops.spade.generate() == {"FINISHED"}
