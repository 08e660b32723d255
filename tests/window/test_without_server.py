# SPDX-License-Identifier: Apache-2.0
"""A designer without a server gets one, labels by name and paints; Blender's own things stay as they were."""

from __future__ import annotations

import pytest

from tests.window.blender_window import PICTURES, BlenderWindow, module

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

SECONDS_TO_PAINT = 240
STORED = "bpy.context.preferences.addons['bl_ext.user_default.spade_backdrops'].preferences"
SESSION = f"{module('session')}.current_session()"
RESULTS = f"len({module('history.records')}.results())"


def test_without_a_server_one_is_offered_and_then_a_picture_is_painted(window, profile):
    window.open_sidebar()
    window.click(*window.find("spade.add_example"))
    window.until("bpy.context.scene.camera.name == 'Valley camera'")
    asks_for_a_server(window)
    labels_by_name(window)
    paints(window, window.find("spade.generate"))
    window.keep_picture("picture")
    assert any((profile / "extensions").rglob("zmq/__init__.py")), (
        "the Blender in the background leaves it alone"
    )


def asks_for_a_server(window: BlenderWindow) -> None:
    """Without one, Generate leads to Install Server; then a server by address is chosen, as in a studio."""
    window.tell(f"{STORED}.server = 'LOCAL'")
    window.click(*window.find("spade.generate"))
    window.until(f"{SESSION}.error is not None and {SESSION}.error.code == 'NOT_INSTALLED'", 60)
    window.keep_picture("no_server")
    window.click(*window.find("spade.install_server"))
    window.pause(2.0)
    window.keep_picture("install")
    window.key("Escape")
    window.tell(f"{STORED}.server = 'ADDRESS'\n{SESSION}.dismiss()")
    window.pause(1.0)


def labels_by_name(window: BlenderWindow) -> None:
    """What the example has as labels, names alone give again."""
    before = window.ask("sum('spade_label' in thing for thing in bpy.data.objects)")
    window.tell(
        "for thing in bpy.data.objects:\n    if 'spade_label' in thing: del thing['spade_label']\n"
        f"{module('scene.label_overview')}.forget()"
    )
    window.click(*window.find("spade.auto_assign"))
    window.until(f"sum('spade_label' in thing for thing in bpy.data.objects) >= {before} * 0.9")
    window.keep_picture("labelled")


def paints(window: BlenderWindow, button: tuple[int, int]) -> None:
    """Press, and wait until the whole picture is placed."""
    before = window.ask(RESULTS)
    window.click(*button)
    window.until(f"{RESULTS} > {before} and not {SESSION}.board.live", SECONDS_TO_PAINT)
    window.pause(12.0 if PICTURES else 1.0)  # shaders, drawn by a processor, and the colours of the view
