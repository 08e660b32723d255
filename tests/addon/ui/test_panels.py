# SPDX-License-Identifier: GPL-3.0-or-later
"""The panels, drawn as far as that goes without a window: see drawing."""

from __future__ import annotations

import bpy
import pytest
from spade_backdrops import timer
from spade_backdrops.bridge.jobs import Job, JobState, SceneRequest
from spade_backdrops.contract.errors import (
    WIRE_ERRORS,
    NoCameraError,
    NothingLabelledError,
    NotInstalledError,
    NotSavedError,
)
from spade_backdrops.contract.labels import load_label_set
from spade_backdrops.contract.limits import Limits
from spade_backdrops.properties import settings
from spade_backdrops.scene import label_rules
from spade_backdrops.session import current_session
from spade_backdrops.ui.remedies import REMEDIES

from tests.addon.drawing import Layout, drawn
from tests.addon.serving import renew_session


@pytest.fixture(autouse=True)
def _clean_session(addon):
    renew_session()
    yield
    renew_session()


def request_for(scene) -> SceneRequest:
    import numpy as np

    return SceneRequest(
        label_map=np.zeros((64, 96), np.uint8),
        label_set=load_label_set("landscape"),
        model="landscape",
        seed=1,
        scene_uid=scene.session_uid,
        scene_name=scene.name,
        blend_file="",
        camera_name="",
    )


def test_an_empty_scene_offers_generate_and_the_example(scene):
    texts = drawn("SPADE_PT_backdrop")
    assert texts[0] == "Generate" and "Add Example Valley" in texts


def test_the_server_is_off_until_it_is_needed(scene):
    texts = drawn("SPADE_PT_server")
    assert texts[0] == "Off" and "Start Server" in texts


def test_unlabelled_objects_are_listed_and_the_rest_is_counted(scene):
    for _ in range(8):
        bpy.ops.mesh.primitive_cube_add()
    texts = drawn("SPADE_PT_labels")
    assert "8 without label" in texts and "and 2 more" in texts


def test_a_labelled_scene_says_so(scene):
    bpy.ops.mesh.primitive_cube_add()
    bpy.ops.spade.assign_label(kind="OBJECT", class_name="rock")
    texts = drawn("SPADE_PT_labels")
    assert "rock" in texts and "Everything has a label" in texts


def test_selected_objects_with_different_labels_are_told(scene):
    bpy.ops.mesh.primitive_cube_add()
    bpy.ops.spade.assign_label(kind="OBJECT", class_name="rock")
    first = bpy.context.object
    bpy.ops.mesh.primitive_cube_add()
    first.select_set(True)
    texts = drawn("SPADE_PT_labels")
    assert "2 objects" in texts and "several" in texts


def test_the_class_menu_has_every_class(scene):
    names = [entry.name for entry in load_label_set("landscape").classes]
    assert drawn("SPADE_MT_object_class") == names


def test_a_label_set_too_long_for_a_menu_is_searched(scene):
    settings(scene).label_set = "ade20k"
    bpy.ops.mesh.primitive_cube_add()
    assert "no label" in drawn("SPADE_PT_labels")


def test_an_unreadable_label_set_is_a_sentence_in_the_panel(scene):
    settings(scene).custom_label_set = "= no"
    settings(scene).label_set = "CUSTOM"
    assert any("not TOML" in text for text in drawn("SPADE_PT_labels"))
    assert drawn("SPADE_MT_object_class") == []


def test_an_error_comes_with_its_remedy(scene):
    current_session().show(NoCameraError("There is no camera.", fix="Add one."))
    texts = drawn("SPADE_PT_backdrop")
    assert "There is no camera." in texts and "Add one." in texts and "Add Camera from View" in texts


def test_no_message_offers_the_button_that_has_just_failed(scene):
    bpy.ops.mesh.primitive_cube_add()
    for failing, offered in ((bpy.ops.spade.generate, True), (bpy.ops.spade.auto_assign, False)):
        scene.camera = scene.camera or bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
        with pytest.raises(RuntimeError, match="label|says what a thing is|server"):
            failing()
        current_session().show(NothingLabelledError("A sentence."), current_session().failed_operator)
        texts = drawn("SPADE_PT_backdrop")
        assert ("Label by Name" in texts) is offered and "Add Example Valley" in texts


def test_no_button_moves_whatever_the_panel_has_to_say(scene):
    settings(scene).background_class = "sky"
    states = {"fresh": drawn("SPADE_PT_backdrop")}
    current_session().show(NoCameraError("There is no camera.", fix="Add one."))
    states["error"] = drawn("SPADE_PT_backdrop")
    current_session().dismiss()
    job = current_session().board.add(request_for(scene))
    states["live"] = drawn("SPADE_PT_backdrop")
    current_session().board.cancel(job)
    job.seconds |= {"total": 1.0, "run": 1.0}
    current_session().board.last_placed = job
    states["done"] = drawn("SPADE_PT_backdrop")
    for texts in states.values():
        shown = texts.index("Blocks")
        assert texts.index("Width") - shown >= 8, "the message has its three lines whatever it says"


def test_a_long_error_is_cut_to_the_boxs_three_lines_and_its_menu_has_all_of_it(scene):
    current_session().show(NoCameraError("There is no camera.", fix="Add one."))
    short = drawn("SPADE_PT_backdrop")
    said = "The picture server at this address did not answer within ten seconds, and none of its names is known."
    current_session().show(NoCameraError(said, fix="Ask those who run it for its address, port and key."))
    texts = drawn("SPADE_PT_backdrop")
    first = texts.index("Add Camera from View")
    assert first == short.index("Add Camera from View"), "no button below has moved"
    assert sum(text.endswith(" …") for text in texts) == 1
    whole = " ".join(drawn("SPADE_MT_whole_message"))
    assert said in whole and "address, port and key." in whole
    current_session().dismiss()


@pytest.mark.parametrize("code", sorted(REMEDIES))
def test_every_remedy_is_a_button_that_exists(scene, code):
    kinds = (NoCameraError, NothingLabelledError, NotInstalledError, NotSavedError)
    local = {kind.code: kind for kind in kinds}
    current_session().show({**WIRE_ERRORS, **local}[code]("A sentence.", fix="A fix."))
    texts = drawn("SPADE_PT_backdrop")
    assert {remedy.text for remedy in REMEDIES[code]} <= set(texts)


def test_a_live_job_shows_how_far_it_is_and_cancel(scene):
    job = current_session().board.add(request_for(scene))
    job.state, job.stage, job.fraction = JobState.RUNNING, "painting", 0.43
    texts = drawn("SPADE_PT_backdrop")
    assert "Painting 43%" in texts and "Generate" not in texts


def test_a_picture_whose_scene_is_gone_is_offered(scene):
    job = current_session().board.add(request_for(scene))
    job.state = JobState.FINISHED
    bpy.ops.scene.new(type="EMPTY")
    bpy.data.scenes.remove(scene)
    texts = drawn("SPADE_PT_backdrop")
    assert "Place Here" in texts and "Discard" in texts


def test_times_of_the_last_picture_are_shown(scene):
    job = Job(request_for(scene), pressed_at=0.0, seconds={"total": 3.21, "run": 1.5})
    current_session().board.last_placed = job
    assert any("96 × 64 in 3.2 s" in text for text in drawn("SPADE_PT_server"))


def test_a_fault_of_ours_does_not_end_the_timer(scene, monkeypatch):
    def broken():
        raise ZeroDivisionError

    current_session().board.add(request_for(scene))
    monkeypatch.setattr(current_session().board, "step", broken)
    assert timer.tick() is not None
    assert any("fault in the add-on" in text.lower() for text in drawn("SPADE_PT_backdrop"))


def test_the_class_from_a_collection_is_shown_on_the_object(scene):
    collection = bpy.data.collections.new("Wald")
    scene.collection.children.link(collection)
    bpy.ops.mesh.primitive_cube_add()
    thing = bpy.context.object
    scene.collection.objects.unlink(thing)
    collection.objects.link(thing)
    label_rules.assign(scene, collection, "tree")
    bpy.context.view_layer.objects.active = thing
    assert "tree" in drawn("SPADE_PT_labels")


def test_the_sliders_of_the_size_end_where_a_server_ends_unless_told_otherwise(scene):
    for side in ("width", "height"):
        described = settings(scene).bl_rna.properties[side]
        assert (described.hard_min, described.soft_max) == (Limits().min_side, Limits().max_side)


def test_a_size_from_an_older_file_is_kept(scene, tmp_path):
    settings(scene).width = 8192
    path = str(tmp_path / "old.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    assert settings(bpy.context.scene).width == 8192


def test_preferences_draw_in_both_modes(scene):
    from spade_backdrops import preferences

    entry = bpy.context.preferences.addons.new()
    entry.module = "spade_backdrops"
    try:
        stored = preferences.preferences()
        assert stored is not None
        texts: list[str] = []
        for mode in ("LOCAL", "ADDRESS"):
            stored.server = mode
            stored.server_address = "tcp://192.0.2.1:5570"

            class Panel:
                layout = Layout(texts)
                server = mode
                server_address = stored.server_address
                bl_rna = stored.bl_rna

            preferences.SpadePreferences.draw(Panel, bpy.context)
        assert any("online access" in text for text in texts) != bpy.app.online_access
    finally:
        bpy.context.preferences.addons.remove(entry)


def test_that_a_file_is_not_saved_is_said_until_it_is(scene, tmp_path):
    current_session().show(
        NotSavedError("This file is not saved.", "Save it first: the frames go beside it.")
    )
    assert {"This file is not saved.", "Save"} <= set(drawn("SPADE_PT_backdrop"))
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "saved.blend"))
    assert "This file is not saved." not in drawn("SPADE_PT_backdrop")
