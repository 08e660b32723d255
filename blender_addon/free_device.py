# SPDX-License-Identifier: GPL-3.0-or-later
"""Before Blender renders on the GPU, a server on this computer gives the GPU's memory back.

It takes it again with the next picture. A render on the processor is none of its business: loading the model anew takes
seconds.
"""

from __future__ import annotations

import threading

import bpy
from bpy.app.handlers import persistent

from .session import current_session

PATIENCE_S = 0.6

_asked = threading.Event()  # by a render, which Blender runs in a thread of its own
_answered = threading.Event()


@persistent
def before_render(scene: bpy.types.Scene, *_) -> None:
    """Called by Blender when a render begins, a whole animation's too."""
    if not renders_on_gpu(scene):
        return
    if threading.current_thread() is threading.main_thread():
        current_session().connection.release_device(PATIENCE_S)
        return
    # The connection belongs to the main thread, whose timer runs on beside the render.
    _answered.clear()
    _asked.set()
    _answered.wait(2 * PATIENCE_S)


def step() -> None:
    """For the timer: do what a render asked for."""
    if _asked.is_set():
        _asked.clear()
        current_session().connection.release_device(PATIENCE_S)
        _answered.set()


def renders_on_gpu(scene: bpy.types.Scene) -> bool:
    """Whether the render of a scene needs the GPU's memory."""
    if scene.render.engine != "CYCLES":
        return True
    cycles = bpy.context.preferences.addons.get("cycles")
    uses_gpu = scene.cycles.device == "GPU"
    return uses_gpu and cycles is not None and cycles.preferences.compute_device_type != "NONE"


def register() -> None:
    bpy.app.handlers.render_init.append(before_render)


def unregister() -> None:
    if before_render in bpy.app.handlers.render_init:
        bpy.app.handlers.render_init.remove(before_render)
    _answered.set()  # a render that waits need not
