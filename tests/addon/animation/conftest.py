# SPDX-License-Identifier: GPL-3.0-or-later
"""Animations need a scene with keys, what its camera sees at each frame, and a server."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.addon.operators.conftest import stored_preferences

__all__ = ["stored_preferences"]

SHAPE = (96, 160)


@pytest.fixture
def walk(yard):
    """The yard, through which the camera walks 4 m to the right in frames 1 to 5."""
    import bpy

    yard.frame_start, yard.frame_end = 1, 5
    yard.render.resolution_x, yard.render.resolution_y = 320, 192
    camera = yard.camera
    camera.data.lens = 24
    camera.keyframe_insert("location", frame=1)
    camera.location.x += 4
    camera.keyframe_insert("location", frame=5)
    yard.frame_set(1)
    bpy.context.view_layer.update()
    return yard


@pytest.fixture
def views_of(tmp_path):
    """Takes what a scene's camera sees at frames, in a second Blender: (scene, frames, shape) -> views by frame."""
    from spade_backdrops.animation.animator import view_of
    from spade_backdrops.scene.elsewhere import Elsewhere
    from spade_backdrops.scene.frame_passes import FramePasses
    from spade_backdrops.scene.label_worker import PassRequest
    from spade_backdrops.scene.scene_file import write_scene_file

    opened = []

    def take(scene, frames, shape=SHAPE):
        folder = Path(tmp_path / f"passes {len(opened)}")
        folder.mkdir()
        write_scene_file(scene, folder / "scene.blend", keep_unkeyed=False)
        opened.append(passes := FramePasses(folder))
        found = {}
        for frame in frames:
            place = Elsewhere(frame, rest=frames[0])
            passes.ask(
                PassRequest(folder / "scene.blend", scene.name_full, "ViewLayer", shape, elsewhere=place)
            )
            while (taken := passes.taken()) is None:
                time.sleep(0.005)
            found[frame] = view_of(*taken)
        return found

    yield take
    for passes in opened:
        passes.close()


@pytest.fixture
def animated(walk, stored_preferences, tmp_path):
    """The walk in a saved file, with a server that paints at once."""
    import bpy
    from spade_backdrops.properties import settings
    from spade_backdrops.session import current_session

    from tests.addon.serving import command

    stored_preferences.server, stored_preferences.server_command = "LOCAL", command()
    current_session().dismiss()
    spade = settings(walk)
    spade.width, spade.height, spade.natural_edges, spade.seed = 160, 96, 0.0, 7
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "gang.blend"))
    return walk
