# SPDX-License-Identifier: GPL-3.0-or-later
"""Press to placed picture, in real Blender with a real server process."""

from __future__ import annotations

import json
import os
import signal
from types import SimpleNamespace

import bpy
import pytest
from spade_backdrops import timer
from spade_backdrops.bridge.connection import ConnectionState
from spade_backdrops.bridge.jobs import JobState
from spade_backdrops.contract.limits import Limits
from spade_backdrops.place.image import PROVENANCE
from spade_backdrops.place.picture import hindrance
from spade_backdrops.properties import settings
from spade_backdrops.scene.visible import is_backdrop
from spade_backdrops.scene_job import detail_of, submit_scene
from spade_backdrops.session import current_session

from tests.addon.drawing import drawn
from tests.addon.serving import command, until
from tests.server.trivial import SLOW


@pytest.fixture
def valley(valley, stored_preferences):
    """Nothing of it in ASCII, and nothing of the test before."""
    stored_preferences.server, stored_preferences.server_command = "LOCAL", command()
    valley.name = "Täl 谷"
    valley.objects["Wiese"].name, valley.camera.name = "Wiese 草", "Kamera 相机"
    for job in current_session().board.live:
        current_session().board.cancel(job)
    for job in current_session().board.finished:
        current_session().board.discard(job)
    current_session().dismiss()
    return valley


def backdrops() -> list[bpy.types.Object]:
    return [thing for thing in bpy.context.scene.objects if is_backdrop(thing)]


def provenance_of(image: bpy.types.Image) -> dict:
    """What a generated picture says of how it was made; nothing for any other image."""
    return json.loads(image.get(PROVENANCE, "{}"))


def stepped(job):
    until(lambda: not job.is_live, timer.step)
    timer.step()
    return job


def test_a_press_ends_with_a_packed_picture_behind_the_scene(valley):
    assert bpy.ops.spade.generate() == {"FINISHED"}
    assert [thing.parent for thing in backdrops()] == [valley.camera]
    image = next(image for image in bpy.data.images if provenance_of(image))
    assert image.packed_file is not None
    facts = provenance_of(image)
    assert facts["seed"] == 0 and facts["label_set"] == "landscape" and facts["camera"] == "Kamera 相机"


def test_the_picture_has_the_cameras_aspect(valley):
    valley.render.resolution_x, valley.render.resolution_y = 1920, 1080
    bpy.ops.spade.generate()
    height, width = current_session().board.last_placed.request.label_map.shape
    assert abs(width / height - 16 / 9) < 0.3 and width % 32 == height % 32 == 0


def test_with_a_window_the_labels_are_taken_in_the_background_and_the_picture_is_the_same(valley):
    bpy.ops.spade.generate()
    direct = current_session().board.last_placed
    settings(valley).seed = 7
    job = submit_scene(bpy.context, in_background=True)
    assert job.state is JobState.TAKING and "Taking labels" in " ".join(drawn("SPADE_PT_backdrop"))
    stepped(job)
    assert job.state is JobState.PLACED and len(backdrops()) == 1
    assert job.request.label_map.tobytes() == direct.request.label_map.tobytes()
    assert 0 < job.request.label_seconds < job.seconds["total"]


def test_cancel_works_while_the_labels_are_taken(valley):
    settings(valley).width = settings(valley).height = 1024
    job = submit_scene(bpy.context, in_background=True)
    timer.step()
    bpy.ops.spade.cancel()
    timer.step()
    assert job.state is JobState.CANCELLED and backdrops() == []


def test_generating_again_updates_the_same_backdrop(valley):
    bpy.ops.spade.generate()
    first = backdrops()[0].name
    settings(valley).seed = 5
    bpy.ops.spade.generate()
    assert [thing.name for thing in backdrops()] == [first]


def test_natural_edges_travel_with_the_request_and_are_known_of_the_picture(valley):
    settings(valley).natural_edges = 0.0
    bpy.ops.spade.generate()
    settings(valley).natural_edges = 0.3
    bpy.ops.spade.generate()
    asked = current_session().board.last_placed.request
    assert asked.picture(Limits()).natural_edges == asked.natural_edges == 0.3
    facts = [provenance_of(image) for image in bpy.data.images if provenance_of(image)]
    assert sorted(each.get("natural_edges", 0.0) for each in facts) == [0.0, 0.3]


def test_the_detail_travels_with_the_request_and_comes_back_with_the_pictures_settings(valley):
    settings(valley).detail = 1.5
    bpy.ops.spade.generate()
    asked = current_session().board.last_placed.request
    assert asked.picture(Limits()).detail == asked.detail == 1.5
    settings(valley).detail = 1.0
    (picture,) = (image for image in bpy.data.images if provenance_of(image))
    assert provenance_of(picture)["detail"] == 1.5
    bpy.ops.spade.use_settings(name=picture.name)
    assert settings(valley).detail == 1.5
    settings(valley).upscale = False
    assert detail_of(valley) == 1.0, "it is painted at its own size"


def test_a_panorama_is_painted_with_three_times_the_detail(valley):
    settings(valley).placement = "PANORAMA"
    assert detail_of(valley) == 3.0
    settings(valley).detail = 2.0
    assert detail_of(valley) == 4.0, "as much as there is"


def test_a_preview_is_asked_of_no_server_that_has_none_and_said_of_no_picture(valley):
    settings(valley).preview = True
    bpy.ops.spade.generate()
    asked = current_session().board.last_placed.request
    assert asked.picture(Limits()).precision == "exact"
    assert all("precision" not in provenance_of(image) for image in bpy.data.images)


def test_undo_takes_the_backdrop_away_and_redo_brings_it_back(valley):
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.spade.generate()
    bpy.ops.ed.undo()
    assert backdrops() == []
    assert "Wiese 草" in bpy.data.objects
    bpy.ops.ed.redo()
    assert len(backdrops()) == 1


def test_undo_while_the_server_paints_loses_nothing(valley):
    bpy.ops.ed.undo_push(message="before")
    bpy.data.objects["Wiese 草"].location.z = 1
    bpy.ops.ed.undo_push(message="moved")
    settings(valley).seed = SLOW + 300
    job = submit_scene(bpy.context)
    bpy.ops.ed.undo()
    stepped(job)
    assert job.state is JobState.PLACED and len(backdrops()) == 1


def test_saving_and_loading_keeps_backdrop_and_labels(valley, tmp_path):
    bpy.ops.spade.generate()
    file = tmp_path / "Größe 谷.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(file))
    bpy.ops.wm.open_mainfile(filepath=str(file))
    assert len(backdrops()) == 1
    assert any(provenance_of(image) and image.packed_file for image in bpy.data.images)
    assert bpy.ops.spade.generate() == {"FINISHED"}
    assert len(backdrops()) == 1


def test_a_file_loaded_again_while_the_server_paints_gets_its_picture(valley, tmp_path):
    file = tmp_path / "valley.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(file))
    job = submit_scene(bpy.context)
    bpy.ops.wm.open_mainfile(filepath=str(file))
    stepped(job)
    assert job.state is JobState.PLACED and len(backdrops()) == 1


def test_a_picture_whose_scene_is_gone_is_kept_until_the_user_places_it(valley):
    job = submit_scene(bpy.context)
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    stepped(job)
    assert current_session().board.finished == [job] and backdrops() == []
    bpy.ops.spade.place_kept()
    assert job.state is JobState.PLACED and len(backdrops()) == 1


def test_a_kept_picture_that_does_not_fit_the_scene_is_still_kept(valley):
    job = submit_scene(bpy.context)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    stepped(job)
    with pytest.raises(RuntimeError, match="no camera"):
        bpy.ops.spade.place_kept()
    assert current_session().board.finished == [job]
    bpy.ops.spade.discard_kept()
    assert current_session().board.finished == []


def test_a_camera_deleted_meanwhile_keeps_the_picture_and_says_why(valley):
    job = submit_scene(bpy.context)
    bpy.data.objects.remove(valley.camera)
    stepped(job)
    assert current_session().board.finished == [job] and current_session().error.code == "NO_CAMERA"
    bpy.ops.spade.add_camera()
    bpy.ops.spade.place_kept()
    assert len(backdrops()) == 1


def test_a_camera_switched_meanwhile_does_not_get_the_others_picture(valley):
    pressed = valley.camera
    other = bpy.data.objects.new("Andere", bpy.data.cameras.new("Andere"))
    valley.collection.objects.link(other)
    job = submit_scene(bpy.context)
    valley.camera = other
    stepped(job)
    assert valley.camera == other
    backdrop = backdrops()[0]
    assert backdrop.parent == pressed and backdrop.hide_render


def test_a_cancelled_job_never_places_an_image(valley):
    settings(valley).seed = SLOW + 300
    job = submit_scene(bpy.context)
    until(lambda: job.state is JobState.RUNNING, timer.step)
    bpy.ops.spade.cancel()
    settings(valley).seed = 1
    bpy.ops.spade.generate()
    assert job.state is JobState.CANCELLED and len(backdrops()) == 1
    assert provenance_of(next(image for image in bpy.data.images if provenance_of(image)))["seed"] == 1


def test_a_picture_lands_only_when_edit_mode_is_left(valley):
    job = submit_scene(bpy.context)
    bpy.context.view_layer.objects.active = bpy.data.objects["Wiese 草"]
    bpy.ops.object.mode_set(mode="EDIT")
    stepped(job)
    assert job.state is JobState.FINISHED and "Object Mode" in hindrance()
    bpy.ops.object.mode_set(mode="OBJECT")
    timer.step()
    assert job.state is JobState.PLACED


def test_a_scene_without_a_camera_is_one_sentence_and_costs_nothing(valley):
    valley.camera = None
    with pytest.raises(RuntimeError, match="no camera"):
        bpy.ops.spade.generate()
    assert (
        current_session().error.code == "NO_CAMERA"
        and backdrops() == []
        and current_session().board.live == []
    )


def test_nothing_labelled_is_one_sentence_and_the_button_mends_it(valley):
    bpy.ops.spade.clear_label(kind="OBJECT")
    bpy.context.object.name = "Grass field"
    with pytest.raises(RuntimeError, match="label"):
        bpy.ops.spade.generate()
    assert current_session().error.code == "NOTHING_LABELLED"
    bpy.ops.spade.auto_assign()
    assert bpy.ops.spade.generate() == {"FINISHED"}


def test_the_models_label_set_can_be_taken_over(valley):
    settings(valley).label_set = "ade20k"
    bpy.ops.spade.assign_label(kind="OBJECT", class_name="grass")
    with pytest.raises(RuntimeError, match="trained on the label set 'landscape'"):
        bpy.ops.spade.generate()
    bpy.ops.spade.use_model_label_set()
    assert settings(valley).label_set == "landscape" and current_session().error is None
    assert bpy.ops.spade.generate() == {"FINISHED"}


def test_a_model_the_server_lacks_is_mended_by_its_button(valley):
    settings(valley).model = "Meer"
    with pytest.raises(RuntimeError, match="no model 'Meer'"):
        bpy.ops.spade.generate()
    bpy.ops.spade.use_served_model()
    assert bpy.ops.spade.generate() == {"FINISHED"}


def test_a_server_that_dies_while_it_paints_costs_no_picture(valley):
    settings(valley).seed = SLOW + 500
    job = submit_scene(bpy.context)
    until(lambda: job.state is JobState.RUNNING, timer.step)
    os.kill(current_session().connection.server.pid, signal.SIGKILL)
    stepped(job)
    assert job.state is JobState.PLACED and len(backdrops()) == 1


def test_stopping_the_server_cancels_and_the_next_press_starts_it(valley):
    settings(valley).seed = SLOW + 300
    job = submit_scene(bpy.context)
    bpy.ops.spade.stop_server()
    assert job.state is JobState.CANCELLED and current_session().connection.state is ConnectionState.OFF
    bpy.ops.spade.start_server()
    until(lambda: current_session().connection.state is ConnectionState.READY, timer.step)


def test_a_size_the_server_does_not_take_is_said_before_anything_is_rendered(
    valley, stored_preferences, monkeypatch
):
    stored_preferences.server_command = command("--max-side", "4096")
    bpy.ops.spade.generate()
    rendered = []
    monkeypatch.setattr("spade_backdrops.scene_job.take_pass", lambda *a, **b: rendered.append(a))
    settings(valley).match_camera = False
    settings(valley).width, settings(valley).height = 5120, 64
    assert "at most 4096 a side" in " ".join(drawn("SPADE_PT_backdrop"))
    with pytest.raises(RuntimeError, match="5120 x 64 pixels; the server paints at most 4096 a side"):
        bpy.ops.spade.generate()
    assert rendered == [] and current_session().error.code == "TOO_LARGE"


def test_a_size_is_refused_in_words_also_by_a_server_that_has_yet_to_start(valley, stored_preferences):
    bpy.ops.spade.stop_server()
    stored_preferences.server_command = command("--max-side", "4096")
    settings(valley).match_camera = False
    settings(valley).width, settings(valley).height = 5120, 32
    with pytest.raises(RuntimeError, match="4096"):
        bpy.ops.spade.generate()
    assert current_session().error.code == "TOO_LARGE" and backdrops() == []


def test_a_server_that_is_not_installed_is_one_sentence(valley, stored_preferences):
    bpy.ops.spade.stop_server()
    stored_preferences.server_command = "/nirgends/spade-server"
    with pytest.raises(RuntimeError, match="does not exist"):
        bpy.ops.spade.generate()
    assert current_session().error.code == "UNAVAILABLE" and backdrops() == []


def test_an_address_on_the_network_needs_online_access(valley, stored_preferences, monkeypatch):
    bpy.ops.spade.stop_server()
    stored_preferences.server, stored_preferences.server_address = "ADDRESS", "tcp://192.0.2.1:5570"
    if bpy.app.online_access:
        pytest.skip("this Blender may go online")
    with pytest.raises(RuntimeError, match="online"):
        bpy.ops.spade.generate()
    assert current_session().error.code == "FORBIDDEN"


def test_an_address_where_nobody_answers_is_one_sentence(valley, stored_preferences, monkeypatch):
    bpy.ops.spade.stop_server()
    monkeypatch.setattr(current_session().connection, "silence_s", 0.5)
    stored_preferences.server, stored_preferences.server_address = "ADDRESS", "tcp://127.0.0.1:9"
    with pytest.raises(RuntimeError, match="does not answer"):
        bpy.ops.spade.generate()
    assert backdrops() == []


def test_the_next_press_goes_to_the_server_that_the_preferences_name_by_then(valley, stored_preferences):
    bpy.ops.spade.stop_server()
    stored_preferences.server, stored_preferences.server_address = "ADDRESS", "tcp://127.0.0.1:9"
    waiting = submit_scene(bpy.context)
    assert current_session().connection.state is ConnectionState.CONNECTING
    stored_preferences.server = "LOCAL"
    bpy.ops.spade.generate()
    assert len(backdrops()) == 1 and waiting.state is JobState.CANCELLED
    server = current_session().connection.server.pid
    bpy.ops.spade.generate()
    assert current_session().connection.server.pid == server, "what was not changed is not started again"


def test_a_fault_of_ours_is_a_sentence_and_no_traceback(valley, monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("spade_backdrops.scene_job.take_pass", broken)
    with pytest.raises(RuntimeError) as refused:
        bpy.ops.spade.generate()
    assert "fault in the add-on" in str(refused.value)
    assert current_session().error.code == "INTERNAL"


def test_a_render_in_progress_is_not_disturbed(valley, monkeypatch):
    app = SimpleNamespace(is_job_running=lambda kind: kind == "RENDER", background=True)
    monkeypatch.setattr("spade_backdrops.scene_job.bpy", SimpleNamespace(app=app), raising=True)
    from spade_backdrops.contract.errors import BusyError

    with pytest.raises(BusyError):
        submit_scene(bpy.context)


def test_the_label_map_is_written_as_ids(valley, tmp_path):
    import numpy as np
    from PIL import Image

    from spade_core.contract.labels import load_label_set

    file = tmp_path / "Größe.png"
    bpy.ops.spade.export_label_map(filepath=str(file))
    with Image.open(file) as picture:
        assert picture.mode == "L"
        ids = set(np.unique(np.array(picture)).tolist())
    named = {entry.name: entry.id for entry in load_label_set("landscape").classes}
    assert ids == {named["sky"], named["grass"]}


def test_a_folder_that_may_not_be_written_is_one_sentence(valley, tmp_path):
    with pytest.raises(RuntimeError, match="cannot be written"):
        bpy.ops.spade.export_label_map(filepath=str(tmp_path / "missing" / "labels.png"))


def test_the_example_valley_is_ready_to_generate(scene, stored_preferences):
    stored_preferences.server, stored_preferences.server_command = "LOCAL", command()
    current_session().connection.close()
    bpy.ops.spade.add_example()
    settings(scene).width = settings(scene).height = 128
    assert bpy.ops.spade.generate() == {"FINISHED"}
    assert len(backdrops()) == 1
