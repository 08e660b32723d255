# SPDX-License-Identifier: GPL-3.0-or-later
"""Variations: one label pass, several seeds, one to pick."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from spade_backdrops import timer
from spade_backdrops.bridge.jobs import JobState
from spade_backdrops.history.records import FAVOURITE, results
from spade_backdrops.place.placement import placed_picture
from spade_backdrops.properties import settings
from spade_backdrops.scene_job import submit_scene
from spade_backdrops.session import current_session
from spade_backdrops.style.reference import rgb_of

from tests.addon.drawing import drawn
from tests.addon.serving import ROOT, command, painting_command, renew_session, until
from tests.server.trivial import DIES, SLOW


@pytest.fixture
def valley(valley, stored_preferences):
    """A scene of seed 20, and a server of each test's own."""
    stored_preferences.server, stored_preferences.server_command = "LOCAL", command()
    renew_session()
    settings(valley).seed = 20
    return valley


def shown() -> bpy.types.Image | None:
    return placed_picture(bpy.context.scene, bpy.context.scene.camera)


@pytest.mark.parametrize(("grid", "count"), [("TWO", 4), ("THREE", 9)])
def test_the_seeds_are_the_scenes_and_those_that_follow(valley, grid, count):
    assert bpy.ops.spade.vary(grid=grid) == {"FINISHED"}
    varied = current_session().variations
    assert list(varied.pictures) == varied.seeds == list(range(20, 20 + count))
    assert len({rgb.tobytes() for rgb in varied.pictures.values()}) == count
    assert shown() is None and not results(), "none is placed before it is picked"


def test_the_picked_one_is_what_generate_paints_with_its_seed(valley):
    bpy.ops.spade.vary(grid="TWO")
    assert bpy.ops.spade.pick_variation(seed=22) == {"FINISHED"}
    picked = rgb_of(shown())
    assert settings(valley).seed == 22
    np.testing.assert_array_equal(picked, current_session().variations.pictures[22])
    bpy.ops.spade.generate()
    assert len(results()) == 1, "the same picture to the byte is not stored twice"
    bpy.ops.spade.pick_variation(seed=20)
    bpy.ops.spade.pick_variation(seed=22)
    assert len(results()) == 2
    np.testing.assert_array_equal(rgb_of(shown()), picked)


def test_cancel_stops_the_rest_and_keeps_what_has_come(valley):
    settings(valley).seed = SLOW + 300
    varied = current_session().vary(submit_scene(bpy.context), 4)
    until(lambda: len(varied.pictures) == 1, timer.step)
    assert varied.is_live
    bpy.ops.spade.cancel()
    timer.step()
    assert not varied.is_live and not current_session().board.live and len(varied.pictures) == 1
    bpy.ops.spade.pick_variation(seed=SLOW + 300)
    assert shown() is not None


def test_a_press_of_generate_stops_them_too(valley):
    settings(valley).seed = SLOW + 300
    varied = current_session().vary(submit_scene(bpy.context), 4)
    until(lambda: varied.pictures, timer.step)
    settings(valley).seed = 3
    bpy.ops.spade.generate()
    timer.step()
    assert not varied.is_live and current_session().board.last_placed.request.seed == 3


def test_what_goes_wrong_is_said_and_ends_them(valley):
    settings(valley).seed = DIES - 2
    with pytest.raises(RuntimeError):
        bpy.ops.spade.vary(grid="TWO")
    varied = current_session().variations
    assert not varied.is_live and len(varied.pictures) == 2 and current_session().error is not None


def test_one_that_is_not_there_is_not_picked(valley):
    with pytest.raises(RuntimeError, match="no variation with the seed 5"):
        bpy.ops.spade.pick_variation(seed=5)


def test_closed_ones_leave_nothing_behind(valley):
    bpy.ops.spade.vary(grid="TWO")
    bpy.ops.spade.close_variations()
    assert current_session().variations is None
    timer.step()
    board = current_session().board
    assert not board.live and not board.finished and shown() is None


def test_the_example_in_the_docs_runs(valley, tmp_path):
    text = (ROOT / "docs" / "addon.md").read_text(encoding="utf-8")
    example = next(block for block in text.split("```")[1::2] if "pick_variation" in block)
    file = tmp_path / "valley.blend"
    exec(example.removeprefix("python").replace("/path/to/valley.blend", str(file)), {})
    bpy.ops.wm.open_mainfile(filepath=str(file))
    (picture,) = results()
    assert FAVOURITE in picture and shown() == picture and settings(bpy.context.scene).placement == "BACKDROP"


def test_the_panel_shows_each_with_its_seed(valley):
    assert drawn("SPADE_PT_variations") == ["2 × 2", "3 × 3"]
    bpy.ops.spade.vary(grid="TWO")
    texts = drawn("SPADE_PT_variations")
    assert [text for text in texts if text.startswith("Seed")] == [
        f"Seed {20 + number}" for number in range(4)
    ]


def test_where_pictures_are_enlarged_the_small_paintings_are_enough_to_pick(valley, stored_preferences):
    stored_preferences.server_command = painting_command()
    renew_session()
    settings(valley).width = settings(valley).height = 768
    settings(valley).match_camera = False
    bpy.ops.spade.vary(grid="TWO")
    varied = current_session().variations
    assert len(varied.pictures) == 4 and all(max(rgb.shape) < 768 for rgb in varied.pictures.values())
    job = varied.pick(22)
    until(lambda: job.painting is not None, timer.step, 60)
    np.testing.assert_array_equal(job.painting, varied.pictures[22])
    until(lambda: job.state is JobState.PLACED, timer.step, 60)
    assert tuple(shown().size) == (768, 768)
    settings(valley).seed = 22
    bpy.ops.spade.generate()
    assert len(results()) == 1
