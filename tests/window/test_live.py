# SPDX-License-Identifier: Apache-2.0
"""Live painting in a window: the button begins it, what moves is painted, Esc ends it."""

from __future__ import annotations

import pytest

from tests.window.blender_window import BlenderWindow, module

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

LIVE = f"{module('live.ending')}.current_live()"


def test_what_moves_is_painted_until_esc_is_pressed(window: BlenderWindow):
    window.open_sidebar()
    window.click(*window.find("spade.add_example"))
    window.until("bpy.context.scene.camera.name == 'Valley camera'")
    window.tell("area_of('VIEW_3D').spaces.active.shading.type = 'SOLID'")
    things = window.ask("len(bpy.data.objects)")
    window.click(*window.find("spade.live"))
    window.until(f"{LIVE} is not None and {LIVE}.shown is not None", 180)
    window.keep_picture("live")
    window.until(f"{LIVE}.shown.is_whole", 180)
    sent = window.ask(f"{LIVE}.sent")
    window.tell("bpy.data.objects['House walls'].location.x -= 12")
    window.until(f"{LIVE}.sent > {sent} and not {LIVE}.shown.is_whole", 60)
    window.keep_picture("live_moved")
    window.tell("area_of('VIEW_3D').spaces.active.region_3d.view_perspective = 'PERSP'")
    window.until(f"{LIVE}.shown.is_whole", 180)
    window.keep_picture("live_corner")
    assert window.ask(f"len({module('history.records')}.results())") == 0
    assert window.ask("len(bpy.data.objects)") == things, "nothing is put into the scene"
    left, bottom, width, height = window.region("WINDOW")
    window.click(left + width // 3, bottom + height // 2)
    window.key("Escape")
    window.until(f"{LIVE} is None", 30)
