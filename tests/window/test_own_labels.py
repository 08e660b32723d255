# SPDX-License-Identifier: Apache-2.0
"""From a run's folder to its own labels in a Blender with a window, as docs/training.md ends.

SPADE_GUI_RUN: the folder of a training, which then paints; by default one with a model that answers at once.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from spade_core.contract.labels import load_label_set
from tests.server.trivial import write_checkpoint
from tests.window.blender_window import PICTURES, module
from tests.window.conftest import ROOT, started_server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

RUN = os.environ.get("SPADE_GUI_RUN", "")
LABEL_SET = ROOT / "examples" / "autumn.toml"
SCENE = "bpy.context.scene"
PLACED = f"{module('session')}.current_session().board.last_placed"


@pytest.fixture(scope="module")
def address(profile) -> Iterator[str]:
    """A server that serves a training's folder."""
    if RUN:
        yield from started_server(profile, f"--models {RUN}")
        return
    folder = profile.parent / "autumn"
    folder.mkdir()
    write_checkpoint(folder, 2000, load_label_set(LABEL_SET))
    yield from started_server(
        profile, f"--models {folder} --synthesizer tests.server.trivial:TrivialSynthesizer"
    )


def test_a_models_own_labels_come_into_the_panel_and_its_picture_behind_the_camera(window):
    window.open_sidebar()
    window.click(*window.find("spade.add_example"))
    window.until(f"{SCENE}.camera.name == 'Valley camera'")
    window.tell(f"{SCENE}.spade.model = {Path(RUN).name or 'autumn'!r}")
    window.until(f"{module('session')}.current_session().connection.state.value == 'READY'", 120)
    window.pause(2.0)
    window.keep_picture("own_offered")
    window.click(*window.find("spade.use_model_label_set"))
    window.until(f"{module('scene.label_rules')}.scene_label_set({SCENE}).name == 'autumn'", 60)
    window.tell("for thing in bpy.data.objects:\n    if 'spade_label' in thing: del thing['spade_label']\n")
    window.click(*window.find("spade.auto_assign"))
    window.until("'golden wood' in [thing.get('spade_label') for thing in bpy.data.collections]", 60)
    window.tell("area_of('VIEW_3D').spaces.active.shading.type = 'SOLID'")
    window.tell("bpy.context.window_manager.spade_overlay.is_shown = True")
    window.pause(3.0)
    window.keep_picture("own_labels")
    window.tell("bpy.context.window_manager.spade_overlay.is_shown = False")
    window.click(*window.find("spade.generate"))
    window.until(f"{PLACED} is not None", 300)
    assert window.ask(f"{PLACED}.request.label_set.name") == "autumn"
    window.pause(20.0 if PICTURES else 1.0)
    window.keep_picture("own_picture")
