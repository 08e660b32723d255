# SPDX-License-Identifier: GPL-3.0-or-later
"""The small painting is in place before the whole picture, and never in its way. By the embedded model."""

from __future__ import annotations

import os
import signal

import bpy
import pytest
from spade_backdrops import timer
from spade_backdrops.bridge.jobs import JobState
from spade_backdrops.place.backdrop import backdrops, picture_of
from spade_backdrops.place.image import generated_images, provenance_of
from spade_backdrops.properties import settings
from spade_backdrops.scene_job import submit_scene
from spade_backdrops.session import current_session

from tests.addon.serving import painting_command, renew_session, until


@pytest.fixture
def valley(valley, stored_preferences):
    """A scene so large that its pictures are enlarged, with steps to undo."""
    stored_preferences.server_command = painting_command()
    settings(valley).width = settings(valley).height = 768
    settings(valley).match_camera = False
    for message in ("first", "before"):
        bpy.ops.ed.undo_push(message=message)
    return valley


def pressed_until_painted(seed: int):
    """A press, and its painting in place."""
    settings(bpy.context.scene).seed = seed
    job = submit_scene(bpy.context)
    until(lambda: current_session().shown_paintings or not job.is_live, timer.step, 60)
    assert job.is_live and current_session().shown_paintings == [job]
    return job


def shown():
    return picture_of(bpy.context.scene, bpy.context.scene.camera)


def plane():
    return bpy.data.objects["Wiese"]


def finished(job):
    until(lambda: not job.is_live, timer.step, 60)
    timer.step()
    assert not current_session().shown_paintings
    return job


def test_the_painting_is_seen_first_and_the_whole_takes_its_place(valley):
    job = pressed_until_painted(seed=11)
    assert max(shown().size) < 768 and shown() in generated_images() and plane().hide_render
    name = shown().name
    assert finished(job).state is JobState.PLACED
    (image,) = generated_images()
    assert shown() == image and tuple(image.size) == (768, 768) and image.name == name
    assert provenance_of(image)["upscaler"] and len(backdrops(valley)) == 1


def test_a_press_is_one_undo_step(valley):
    finished(pressed_until_painted(seed=12))
    bpy.ops.ed.undo()
    assert backdrops(bpy.context.scene) == [] and len(generated_images()) == 1
    bpy.ops.ed.redo()
    assert tuple(shown().size) == (768, 768) and len(generated_images()) == 1


def test_a_cancelled_job_leaves_the_scene_as_it_was(valley):
    job = pressed_until_painted(seed=13)
    bpy.ops.spade.cancel()
    timer.step()
    assert job.state is JobState.CANCELLED
    assert backdrops(valley) == [] and not generated_images() and not plane().hide_render


def test_a_cancelled_job_brings_the_former_picture_back(valley):
    finished(pressed_until_painted(seed=14))
    former = shown()
    pressed_until_painted(seed=15)
    assert shown() != former
    bpy.ops.spade.cancel()
    timer.step()
    assert shown() == former and generated_images() == [former]


def test_a_newer_press_leaves_nothing_of_the_older_ones_painting(valley):
    pressed_until_painted(seed=16)
    finished(submit_newer(17))
    (image,) = generated_images()
    assert shown() == image and provenance_of(image)["seed"] == 17


def submit_newer(seed):
    settings(bpy.context.scene).seed = seed
    return submit_scene(bpy.context)


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_a_job_that_fails_keeps_its_painting(valley, monkeypatch):
    monkeypatch.setattr("spade_backdrops.bridge.server_process.RESTARTS_ALLOWED", 0)
    job = pressed_until_painted(seed=18)
    os.kill(current_session().connection.server.pid, signal.SIGKILL)
    finished(job)
    assert job.state is JobState.FAILED and current_session().error is not None
    (image,) = generated_images()
    assert shown() == image and max(image.size) < 768 and plane().hide_render
    renew_session()


def test_undo_while_it_is_enlarged_loses_nothing(valley):
    job = pressed_until_painted(seed=19)
    bpy.ops.ed.undo()
    assert finished(job).state is JobState.PLACED
    (image,) = generated_images()
    assert shown() == image and tuple(image.size) == (768, 768)


def test_a_press_without_a_change_adds_nothing_to_the_file(valley):
    finished(pressed_until_painted(seed=20))
    before = shown()
    job = finished(submit_newer(20))
    assert generated_images() == [before] and shown() == before and not job.is_new
    finished(submit_newer(21))
    assert len(generated_images()) == 2
