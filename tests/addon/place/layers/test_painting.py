# SPDX-License-Identifier: GPL-3.0-or-later
"""What is painted for layers, in which order, and what stays when it is broken off."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import bpy
import numpy as np
import pytest
from spade_backdrops import timer
from spade_backdrops.bridge.jobs import JobBoard, JobState
from spade_backdrops.contract.errors import UnavailableError
from spade_backdrops.history.records import results
from spade_backdrops.label_taking import current_labels
from spade_backdrops.place.caveats import caveats
from spade_backdrops.place.layers.cards import layer_cards, layers_of
from spade_backdrops.place.layers.kept import cards_in, layers_in
from spade_backdrops.place.placement import placed_picture
from spade_backdrops.properties import settings
from spade_backdrops.scene.bands import band_ends, things_before
from spade_backdrops.scene.label_pass import render_label_map
from spade_backdrops.scene.layered_pass import BEFORE, render_layered_labels
from spade_backdrops.scene.projector import projector_of
from spade_backdrops.scene_job import submit_scene
from spade_backdrops.session import current_session
from spade_backdrops.style.reference import rgb_of

from tests.addon.drawing import drawn
from tests.addon.place.layers.test_layers import holes, step_aside
from tests.addon.place.projection import court as yard
from tests.addon.serving import until
from tests.server.trivial import SLOW

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture
def sent(monkeypatch) -> list:
    """The requests that go to the board."""
    requests = []

    def add(board, request, *more, **named):
        requests.append(request)
        return added(board, request, *more, **named)

    added = JobBoard.add
    monkeypatch.setattr(JobBoard, "add", add)
    return requests


def test_all_is_painted_in_one_size_seed_and_style(court, sent):
    settings(court).seed, settings(court).style_source, settings(court).style_name = 7, "NAMED", "night"
    bpy.ops.spade.generate()
    assert len(sent) == 4
    of_all = {
        (each.label_map.shape, each.seed, each.model, each.strength, each.natural_edges, repr(each.style))
        for each in sent
    }
    assert len(of_all) == 1 and of_all.pop()[4] == 0, "cards are cut where blocks end"


def test_cards_are_made_without_holding_blender_up(court, monkeypatch):
    settings(court).match_camera, settings(court).width, settings(court).height = False, 1024, 576
    turns = []

    def timed(session):
        began = time.thread_time()
        lay_out(session)
        turns.append(time.thread_time() - began)

    lay_out = timer._lay_out
    monkeypatch.setattr(timer, "_lay_out", timed)
    bpy.ops.spade.generate()
    assert len(layer_cards(court)) == 3 and max(turns) < 0.1


def test_nearer_things_are_hidden_by_object_and_the_ground_goes_on(court):
    layers = render_layered_labels(court, (yard.HEIGHT, yard.WIDTH)).layers
    seen = render_label_map(court, (yard.HEIGHT, yard.WIDTH))
    grass = seen.label_map[-1, yard.WIDTH // 2]
    gone = things_before(court, projector_of(court, court.camera), seen.depth, 2, BEFORE, with_cut_off=True)
    assert set(gone) >= {"Cube", "Cube.001", "Instance", "Instance.001"} and "Plane" not in gone
    for label_map in layers.behind[1:]:
        assert label_map.shape == seen.label_map.shape
        assert (label_map[-yard.HEIGHT // 4 :] == grass).all(), "not the sky under cut ground"
    assert set(np.unique(layers.behind[2])) < set(np.unique(seen.label_map))
    assert list(layers.distances) == sorted(layers.distances)
    near, far = band_ends(seen.depth, BEFORE)
    assert layers.distances[0] < near < layers.distances[1] < far < layers.distances[2]


def test_a_map_of_nothing_but_sky_is_never_painted(court, sent):
    """A leaning plate in the air, and nothing behind it."""
    for name in ("Plane", "Cube", "Cube.001", "Instance", "Instance.001"):
        bpy.data.objects.remove(bpy.data.objects[name])
    bpy.data.objects["Plane.001"].rotation_euler.x = 0.8
    bpy.ops.spade.generate()
    assert layers_in(results()[0]).behind[2] is None and len(sent) == 2
    sky = np.array(cards_in(results()[0])[2].pixels[:]).reshape(-1, 4)[:, :3]
    open_sky = rgb_of(results()[0])[0, 0] / 255
    assert np.abs(sky - open_sky).mean() < 0.1, "the picture's own sky goes on"


def test_maps_that_are_the_same_are_painted_once(court, sent):
    for name in ("Cube", "Cube.001", "Instance", "Instance.001"):
        bpy.data.objects.remove(bpy.data.objects[name])
    bpy.data.objects["Plane.001"].scale *= 3  # too large for a thing
    bpy.ops.spade.generate()
    assert len(sent) == 2 and len(layer_cards(court)) == 3


def until_behind(seed: int):
    """A press, its picture placed, and the first of what is behind it under way."""
    settings(bpy.context.scene).seed = seed
    job = submit_scene(bpy.context, in_background=False)
    board = current_session().board
    until(lambda: job.state is JobState.PLACED, timer.step, 60)
    until(lambda: board.live_in(job.request.scene_uid).state is JobState.RUNNING, timer.step, 60)
    return job, board.live_in(job.request.scene_uid)


def stands_whole(scene) -> None:
    """The picture is on its backdrop, and no half of its layers is anywhere."""
    (picture,) = results()
    assert placed_picture(scene, scene.camera) == picture and not layer_cards(scene)
    assert layers_in(picture) is None and not [
        each for each in bpy.data.images if each.name.startswith(".Layer")
    ]
    assert any("no layers yet" in each for each in caveats(scene)) and current_session().layers is None


def test_the_picture_is_shown_before_what_is_behind_it_is_painted(court):
    _, behind = until_behind(SLOW + 400)
    assert placed_picture(court, court.camera) == results()[0] and not layer_cards(court)
    assert bpy.data.objects["Cube"].hide_render and "Behind it, 1 of 3" in " ".join(
        drawn("SPADE_PT_backdrop")
    )
    until(lambda: current_session().layers is None, timer.step, 60)
    assert len(layer_cards(court)) == 3 and behind.state is JobState.FINISHED


def test_a_server_that_is_killed_in_the_middle_is_started_again_and_paints_the_rest(court):
    until_behind(SLOW + 1500)
    os.kill(current_session().connection.server.pid, signal.SIGKILL)
    until(lambda: current_session().layers is None, timer.step, 60)
    assert len(layer_cards(court)) == 3 and layers_of(court, court.camera) == results()[0]


def test_where_it_does_not_come_back_the_picture_is_left_whole(court):
    _, behind = until_behind(SLOW + 1501)
    current_session().board.fail(behind, UnavailableError("The server has gone.", "Try again."))
    until(lambda: current_session().layers is None, timer.step, 60)
    stands_whole(court)
    assert current_session().error is not None
    settings(court).seed = 3
    bpy.ops.spade.generate()
    assert len(layer_cards(court)) == 3 and current_session().error is None


def test_cancel_leaves_the_picture_whole(court):
    until_behind(SLOW + 2000)
    bpy.ops.spade.cancel()
    until(lambda: current_session().layers is None, timer.step, 60)
    stands_whole(court)


def test_cards_make_room_for_the_small_painting_of_the_next_picture_and_come_back_when_that_is_cancelled(
    court,
):
    bpy.ops.spade.generate()
    settings(court).seed = SLOW + 2001
    job = submit_scene(bpy.context, in_background=False)
    until(lambda: job.state is JobState.RUNNING, timer.step, 60)
    job.painting = np.zeros((32, 48, 3), np.uint8)
    timer.step()
    assert all(card.hide_render for card in layer_cards(court)) and len(layer_cards(court)) == 3
    bpy.ops.spade.cancel()
    timer.step()
    assert not any(card.hide_render for card in layer_cards(court))
    assert placed_picture(court, court.camera) == results()[0] and len(results()) == 1


def test_a_newer_press_counts(court):
    first, behind = until_behind(SLOW + 2000)
    settings(court).seed = 5
    bpy.ops.spade.generate()
    assert behind.state is JobState.CANCELLED
    (newest, older) = results()
    assert layers_of(court, court.camera) == newest == placed_picture(court, court.camera)
    assert layers_in(older) is None


def test_a_camera_that_moves_meanwhile_changes_nothing(court, tmp_path):
    until_behind(SLOW + 300)
    before = court.camera.location.copy()
    court.camera.location.x += 0.4
    bpy.data.objects["Cube"].location.x += 3
    until(lambda: current_session().layers is None, timer.step, 60)
    assert len(layer_cards(court)) == 3
    court.camera.location = before
    bpy.context.view_layer.update()
    assert np.abs(yard.rendered(court, tmp_path) - rgb_of(results()[0]).astype(int)).max() <= 1


def test_a_picture_that_was_undone_meanwhile_has_its_layers_in_the_history(court):
    bpy.ops.ed.undo_push(message="before")
    until_behind(SLOW + 401)
    bpy.ops.ed.undo()
    until(lambda: current_session().layers is None, timer.step, 60)
    scene = bpy.context.scene
    assert not layer_cards(scene) and placed_picture(scene, scene.camera) is None
    bpy.ops.spade.place_again(name=results()[0].name)
    assert len(layer_cards(scene)) == 3


def test_with_a_window_the_labels_behind_come_from_the_background_the_same(court):
    here = render_layered_labels(court, (yard.HEIGHT, yard.WIDTH)).layers
    bpy.ops.spade.generate()  # with the blocks hidden by now
    assert layers_in(results()[0]).is_like(here)
    settings(court).seed += 1
    job = submit_scene(bpy.context, in_background=True)
    assert job.state is JobState.TAKING and job.request.layers is None
    until(lambda: job.state is JobState.PLACED and current_session().layers is None, timer.step, 60)
    assert job.request.layers.is_like(here) and len(layer_cards(court)) == 3
    current_labels().close()


def test_a_variation_that_is_picked_has_layers(court):
    bpy.ops.spade.vary(grid="TWO")
    assert not layer_cards(court)
    bpy.ops.spade.pick_variation(seed=settings(court).seed + 1)
    assert layers_of(court, court.camera) == results()[0]


def test_painting_it_again_adds_nothing_and_a_region_keeps_what_is_behind(court, sent):
    bpy.ops.spade.generate()
    (picture,) = results()
    bpy.ops.spade.paint_again(name=picture.name)
    assert results() == [picture] and len(sent) == 5
    bpy.ops.spade.paint_region(by="CLASS", class_name="rock", seed=9, feather=0.0)
    region = next(each for each in results() if each != picture)
    assert layers_of(court, court.camera) == region and len(sent) == 6
    before, after = (np.array(cards_in(each)[2].pixels[:]) for each in (picture, region))
    np.testing.assert_array_equal(before, after, "behind everything nothing has changed")
    assert (np.array(cards_in(picture)[1].pixels[:]) != np.array(cards_in(region)[1].pixels[:])).any()


@pytest.mark.parametrize("way", [(1, 0), (-1, 0)])
def test_the_example_valley_has_no_holes(scene, server, tmp_path, way):
    bpy.ops.spade.add_example()
    spade = settings(scene)
    spade.placement, spade.width, spade.height = "LAYERS", 512, 288
    bpy.ops.spade.generate()
    scene.render.resolution_x, scene.render.resolution_y, scene.render.engine = 512, 288, "CYCLES"
    scene.cycles.samples, scene.view_settings.view_transform = 1, "Standard"
    step_aside(scene, way, 0.05)
    assert holes(scene, tmp_path) < 0.005


def test_the_example_in_the_docs_runs(court, tmp_path):
    text = (ROOT / "docs" / "addon.md").read_text(encoding="utf-8")
    example = next(block for block in text.split("```")[1::2] if '"LAYERS"' in block)
    file = tmp_path / "layers.blend"
    exec(example.removeprefix("python").replace("/path/to/layers.blend", str(file)), {})
    bpy.ops.wm.open_mainfile(filepath=str(file))
    assert len(layer_cards(bpy.context.scene)) == 3
