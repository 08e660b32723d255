# SPDX-License-Identifier: GPL-3.0-or-later
"""The one timer: moves the jobs, lands their pictures, and redraws the panel when something changed.

`step()` is all it does; the timer calls it in the GUI, tests and scripts call it themselves (timers never
fire in Blender as a module).
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import bpy

from ..contract.errors import Internal
from .connection import Connection, State
from .jobs import Job, JobBoard, Request

BUSY_INTERVAL_S = 0.04
IDLE_INTERVAL_S = 0.5
# a tool in the user's hand: a picture that lands now would end up inside its undo step
HANDS_FULL = ("TRANSFORM_OT_", "PAINT_OT_", "SCULPT_OT_", "MESH_OT_", "CURVE_OT_", "VIEW3D_OT_interactive")

_log = logging.getLogger(__name__)
board = JobBoard(Connection())
_place: Callable[[Job, bpy.types.Scene], None] | None = None
_drawn: tuple | None = None


def register() -> None:
    """Nothing runs until somebody wakes the timer."""


def unregister() -> None:
    """Stop the timer, the connection and the server we started; forget every job."""
    global board
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    board.connection.close()
    board = JobBoard(Connection())


def place_with(place: Callable[[Job, bpy.types.Scene], None]) -> None:
    """Who lands a finished picture in its scene (the operators, which know both sides)."""
    global _place
    _place = place


def wake() -> None:
    """Run the timer, if it does not run yet."""
    if not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(
            _tick, first_interval=0.0, persistent=True
        )  # persistent: survives a file load


def step() -> None:
    """Everything the timer does, once. Never blocks, never raises for what the user can mend."""
    board.step()
    if hindrance() is None:
        for job in board.finished:
            scene = scene_of(job.request)
            # one that its scene refused is not tried again until the user says so
            if scene is not None and job.error is None and _place is not None:
                _place(job, scene)
    _redraw_if_changed()


def scene_of(request: Request) -> bpy.types.Scene | None:
    """The scene a request came from, also after undo and after its file was loaded again; None when it is
    gone.
    """
    for scene in bpy.data.scenes:
        if scene.session_uid == request.scene_uid:
            return scene
    if request.blend_file and request.blend_file == bpy.data.filepath:
        return bpy.data.scenes.get(request.scene_name)
    return None


def hindrance() -> str | None:
    """Why a picture cannot land this moment, for the panel; None when it can."""
    if bpy.app.is_job_running("RENDER"):
        return "after the render"
    if bpy.context.mode != "OBJECT":
        # other modes keep an undo history of their own, which would lose the backdrop
        return "when you are back in Object Mode"
    for window in bpy.context.window_manager.windows:
        if any(tool.bl_idname.startswith(HANDS_FULL) for tool in window.modal_operators):
            return "when your tool is done"
    return None


def _tick() -> float | None:
    try:
        step()
    except Exception as problem:
        # an error that left here would end the timer, and with it every job to come
        _log.exception("a step failed")
        sentence = f"A fault in the add-on stopped a step ({type(problem).__name__})."
        board.error = Internal(sentence, fix="Please report it with what the system console says.")
    if board.connection.state is State.OFF and not board.live and not board.finished:
        return None
    return BUSY_INTERVAL_S if board.live or board.connection.is_starting else IDLE_INTERVAL_S


def _redraw_if_changed() -> None:
    global _drawn
    jobs = [(id(job), job.state, job.stage, round(job.fraction, 2)) for job in board.live + board.finished]
    connection = board.connection
    models = connection.welcome.models if connection.welcome else ()
    waited_s = int(connection.waited_s)
    now = (jobs, connection.state, waited_s, models, board.error, id(board.last_placed), hindrance())
    if now != _drawn:
        _drawn = now
        redraw()


def redraw() -> None:
    """Ask for a new drawing of the sidebars."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                for region in area.regions:
                    if region.type == "UI":
                        region.tag_redraw()
