# SPDX-License-Identifier: GPL-3.0-or-later
"""A batch: every camera, view layer and scene has its picture, what is there stays, and what fails stops no other."""

from __future__ import annotations

import os
import signal

import bpy
import numpy as np
import pytest
from spade_backdrops import timer
from spade_backdrops.batch import running
from spade_backdrops.batch.plan import RowState, plan_batch, rows_of
from spade_backdrops.history.records import request_of, results
from spade_backdrops.place.backdrop import picture_of
from spade_backdrops.place.image import provenance_of
from spade_backdrops.properties import settings
from spade_backdrops.scene.label_pass import render_label_map
from spade_backdrops.scene.view import label_map_shape
from spade_backdrops.session import current_session
from spade_backdrops.style.reference import rgb_of

from tests.addon.drawing import drawn
from tests.addon.serving import until


def choose(file, cameras="ALL", layers="ACTIVE", scenes="THIS") -> None:
    spade = settings(file.scene)
    spade.batch_cameras, spade.batch_layers, spade.batch_scenes = cameras, layers, scenes


def states() -> list[RowState]:
    known = running.last_rows()
    return [known[row.key].state for row in rows_of(bpy.context)]


def test_the_rows_are_what_is_chosen(file):
    choose(file)
    assert [row.camera for row in rows_of(bpy.context)] == ["Kamera", "Zweite"]
    choose(file, layers="ALL")
    assert [(row.layer, row.camera, row.lands) for row in rows_of(bpy.context)] == [
        ("ViewLayer", "Kamera", True),
        ("ViewLayer", "Zweite", True),
        ("Bare", "Kamera", False),
        ("Bare", "Zweite", False),
    ]
    choose(file, cameras="ACTIVE", scenes="ALL")
    assert {(row.scene, row.camera) for row in rows_of(bpy.context)} == {
        ("Scene", "Kamera"),
        ("Andere", "Zweite"),
    }
    choose(file, cameras="SELECTED")
    bpy.ops.object.select_all(action="DESELECT")
    with pytest.raises(RuntimeError, match="no camera to paint"):
        bpy.ops.spade.batch()
    file.second.select_set(True)
    assert [row.camera for row in rows_of(bpy.context)] == ["Zweite"]


def test_each_camera_has_its_own_picture_of_its_own_labels_in_each_scene(file):
    frame, camera = file.scene.frame_current, file.scene.camera
    labels = {}
    for each in (file.first, file.second):
        file.scene.camera = each
        labels[each] = render_label_map(file.scene, label_map_shape(file.scene)).label_map
    file.scene.camera = camera
    choose(file, scenes="ALL")
    assert bpy.ops.spade.batch() == {"FINISHED"}
    assert states() == [RowState.DONE] * 3
    assert (file.scene.frame_current, file.scene.camera) == (frame, camera)
    for each in (file.first, file.second):
        request = request_of(picture_of(file.scene, each), file.scene)
        assert np.array_equal(request.label_map, labels[each]) and request.camera_name == each.name
    assert provenance_of(picture_of(file.other, file.second))["seed"] == 5
    names = sorted(path.name for path in (file.folder / "frames" / "batch").glob("*.png"))
    assert len(names) == 3 and names[1] == "Scene_ViewLayer_Kamera.png"


def test_other_view_layers_are_painted_as_they_are_and_kept_in_the_history(file):
    choose(file, cameras="ACTIVE", layers="ALL")
    assert bpy.ops.spade.batch() == {"FINISHED"}
    bare, whole = results()
    assert picture_of(file.scene, file.first) == whole
    rock = request_of(whole, file.scene).label_set.class_named("rock").id
    assert (request_of(whole, file.scene).label_map == rock).any()
    assert not (request_of(bare, file.scene).label_map == rock).any()


def test_a_second_press_paints_nothing_that_is_there_also_after_blender_ended_unsaved(file, monkeypatch):
    choose(file)
    bpy.ops.spade.batch()
    shown = {each.name: rgb_of(picture_of(file.scene, each)) for each in (file.first, file.second)}
    painted = count_submissions(monkeypatch)
    bpy.ops.spade.batch()
    assert states() == [RowState.KEPT] * 2 and not painted
    bpy.ops.wm.open_mainfile(filepath=bpy.data.filepath)  # as it was saved: without the pictures
    scene = bpy.context.scene
    assert not results()
    bpy.ops.spade.batch()
    assert states() == [RowState.DONE] * 2 and not painted
    for name, rgb in shown.items():
        assert np.array_equal(rgb_of(picture_of(scene, bpy.data.objects[name])), rgb)
    bpy.data.objects["Zweite"].location.x += 2
    bpy.ops.spade.batch()
    assert states() == [RowState.KEPT, RowState.DONE] and len(painted) == 1


def count_submissions(monkeypatch) -> list:
    client = current_session().connection.client
    submitted, submit = [], type(client).submit

    def counting(self, *words, **named):
        submitted.append(words)
        return submit(self, *words, **named)

    monkeypatch.setattr(type(client), "submit", counting)
    return submitted


def test_a_row_that_fails_says_why_and_the_others_are_painted(file):
    settings(file.other).model = "nowhere"
    choose(file, cameras="ACTIVE", scenes="ALL")
    with pytest.raises(RuntimeError, match="no model 'nowhere'"):
        bpy.ops.spade.batch()
    by_scene = {row.scene: row for row in running.last_rows().values()}
    assert by_scene["Scene"].state is RowState.DONE and picture_of(file.scene, file.first) is not None
    assert by_scene["Andere"].state is RowState.FAILED
    texts = drawn("SPADE_PT_batch")
    assert "Done" in texts and "Failed" in texts and any("no model 'nowhere'" in each for each in texts)


def test_a_stop_keeps_what_is_there_and_the_same_press_goes_on(file):
    choose(file)
    folder = file.folder / "frames" / "batch"
    batch = running.start_batch(file.scene, plan_batch(bpy.context), folder)
    until(lambda: batch.done == 1, timer.step, 60)
    bpy.ops.spade.stop_batch()
    assert running.running_batch() is None and states() == [RowState.DONE, RowState.WAITING]
    bpy.ops.spade.batch()
    assert states() == [RowState.KEPT, RowState.DONE]


def test_a_fault_of_ours_ends_it_in_words_and_not_as_if_it_had_gone_well(file, monkeypatch):
    choose(file)
    monkeypatch.setattr("spade_backdrops.batch.batch.digest_of", lambda *values: 1 / 0)
    with pytest.raises(RuntimeError):
        bpy.ops.spade.batch()
    assert current_session().error is not None and "ZeroDivisionError" in str(current_session().error)
    assert running.running_batch() is None


@pytest.mark.skipif(os.name == "nt", reason="kills by signals")
def test_a_server_that_is_killed_is_started_again(file):
    choose(file)
    batch = running.start_batch(file.scene, plan_batch(bpy.context), file.folder / "frames" / "batch")
    until(lambda: batch.done == 1, timer.step, 60)
    os.kill(current_session().connection.server.pid, signal.SIGKILL)
    until(lambda: running.running_batch() is None, timer.step, 100)
    assert batch.error is None and states() == [RowState.DONE] * 2


def test_the_view_shows_the_first_picture_and_is_left_alone_then(file):
    window = bpy.context.window_manager.windows[0]
    view = next(area.spaces.active for area in window.screen.areas if area.type == "VIEW_3D")
    view.shading.type, view.region_3d.view_perspective = "SOLID", "PERSP"
    choose(file)
    batch = running.start_batch(file.scene, plan_batch(bpy.context), file.folder / "frames" / "batch")
    batch.pressed_in = view.as_pointer()
    until(lambda: batch.done == 1, timer.step, 60)
    assert view.shading.type == "MATERIAL" and view.region_3d.view_perspective == "PERSP"
    view.shading.type = "SOLID"
    until(lambda: batch.has_ended, timer.step, 60)
    assert states() == [RowState.DONE] * 2 and view.shading.type == "SOLID"


def test_the_table_says_in_full_why_pictures_failed_and_once_for_all_that_failed_alike(file):
    choose(file)
    settings(file.scene).placement = "TILE"
    with pytest.raises(RuntimeError, match="one panorama or tile"):
        bpy.ops.spade.batch()
    said = " ".join(drawn("SPADE_PT_batch"))
    assert said.count("has one panorama or tile, and not one for each camera.") == 1
    assert "Choose another way in its Place As." in said
    assert {"Cameras", "View Layers", "Scenes"} <= set(drawn("SPADE_PT_batch"))
