# SPDX-License-Identifier: Apache-2.0
"""Live painting: follows what is done to the scene, writes nothing into it, and ends for certain."""

from __future__ import annotations

import os
import signal
import time

import bpy
import numpy as np
import pytest
from spade_backdrops import timer
from spade_backdrops.history.records import results
from spade_backdrops.live import ending
from spade_backdrops.live.painting import REST_S
from spade_backdrops.place.placement import placed_picture
from spade_backdrops.properties import settings
from spade_backdrops.scene.label_rules import assign
from spade_backdrops.session import current_session

from tests.addon.serving import command, renew_session, until


@pytest.fixture
def live(graphics, valley, stored_preferences):
    """Live painting of a meadow with a rock on it, small beside its whole picture."""
    stored_preferences.server, stored_preferences.server_command = "LOCAL", command()
    renew_session()
    settings(valley).width = settings(valley).height = 512
    bpy.ops.mesh.primitive_cube_add(size=4, location=(0, 0, 2))
    bpy.context.object.name = "Rock"
    assign(valley, bpy.context.object, "rock")
    bpy.ops.spade.live()
    yield ending.current_live()
    ending.end()
    renew_session()


def step() -> None:
    ending.step()
    timer.step()


def comes(condition, seconds: float = 60.0) -> None:
    until(condition, step, seconds)


def at_rest(live) -> None:
    comes(lambda: live.shown is not None and live.shown.is_whole)
    calm = time.monotonic() + 2 * REST_S
    comes(lambda: time.monotonic() > calm)


def move(x: float) -> None:
    bpy.data.objects["Rock"].location.x = x
    bpy.context.view_layer.update()


def test_a_small_picture_comes_first_and_the_whole_one_when_all_rests(live):
    comes(lambda: live.shown is not None)
    assert not live.shown.is_whole and live.shown.request.upscale == "off"
    small = live.shown.rgb.shape
    at_rest(live)
    assert live.shown.rgb.shape[0] > small[0] and live.sent == 2
    assert live.shown.request.label_map.shape == live.shown.rgb.shape[:2]


def test_what_moves_is_seen_in_the_next_picture(live):
    at_rest(live)
    before = live.shown.request.label_map
    move(5)
    comes(lambda: not live.shown.is_whole)
    at_rest(live)
    assert live.sent == 4 and not np.array_equal(live.shown.request.label_map, before)


def test_nothing_is_painted_where_nothing_that_shows_has_changed(live):
    at_rest(live)
    sent = live.sent
    bpy.data.objects["Rock"].location.z -= 0.0
    bpy.data.objects["Rock"].select_set(False)
    bpy.context.view_layer.update()
    at_rest(live)
    assert live.sent == sent


def test_another_class_is_painted_though_nothing_has_moved(live):
    at_rest(live)
    before, sent = live.shown.rgb, live.sent
    assign(bpy.context.scene, bpy.data.objects["Rock"], "tree")
    comes(lambda: live.sent > sent and live.shows_newest)
    assert live.shown.rgb.shape != before.shape, "the small one first"


def test_another_seed_is_another_picture(live):
    at_rest(live)
    settings(bpy.context.scene).seed += 1
    comes(lambda: live.shown.request.seed == settings(bpy.context.scene).seed)


def test_the_scene_stays_as_it_is(live, snapshot):
    before = snapshot()
    at_rest(live)
    move(3)
    move(0)
    at_rest(live)
    assert (
        snapshot() == before
        and not results()
        and placed_picture(bpy.context.scene, bpy.context.scene.camera) is None
    )


def test_generate_keeps_the_picture_and_live_painting_goes_on(live):
    at_rest(live)
    assert bpy.ops.spade.generate() == {"FINISHED"}
    assert len(results()) == 1 and ending.current_live() is live
    move(2)
    sent = live.sent
    comes(lambda: live.sent > sent and live.shows_newest)


@pytest.mark.parametrize("how", ["button", "escape", "file", "render", "scene"])
def test_it_ends_for_certain(live, how, tmp_path):
    comes(lambda: live.shown is not None)
    if how == "button":
        bpy.ops.spade.live()
    elif how == "escape":
        bpy.ops.spade.end_live()
    elif how == "file":
        bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    elif how == "render":
        scene = bpy.context.scene
        scene.render.engine, scene.cycles.samples = "CYCLES", 1
        scene.render.resolution_x = scene.render.resolution_y = 16
        bpy.ops.render.render()
    else:
        bpy.context.window.scene = bpy.data.scenes.new("Another")
        step()
    assert ending.current_live() is None and not bpy.ops.spade.end_live.poll()
    sent = live.sent
    step()
    assert live.sent == sent and current_session().error is None


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_a_server_that_dies_is_started_again_and_live_painting_goes_on(live):
    comes(lambda: live.shown is not None)
    os.kill(current_session().connection.server.pid, signal.SIGKILL)
    before = live.shown
    move(4)
    comes(lambda: live.shown is not before)
    assert current_session().error is None


def test_it_ends_with_the_server_that_the_user_leaves(live):
    comes(lambda: live.shown is not None)
    current_session().disconnect()
    step()
    assert ending.current_live() is None and current_session().error is None


def test_what_fails_ends_it_and_the_panel_says_why(live):
    comes(lambda: live.shown is not None)
    settings(bpy.context.scene).model = "nowhere"
    comes(lambda: ending.current_live() is None)
    assert "nowhere" in str(current_session().error)


def test_a_panorama_is_not_painted_live(valley):
    settings(valley).placement = "PANORAMA"
    with pytest.raises(RuntimeError, match="not a panorama"):
        bpy.ops.spade.live()
    assert ending.current_live() is None
