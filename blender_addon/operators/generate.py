# SPDX-License-Identifier: GPL-3.0-or-later
"""Generate and Cancel.

A press takes the labels (on the main thread: Blender renders nowhere else) and hands a complete request to
the board; from then on Blender is free. Scripts that call the operator without a user get the picture placed
before it returns.
"""

from __future__ import annotations

import random
import time

import bpy

from ..bridge import pump
from ..bridge.connection import State
from ..bridge.jobs import Job, JobState, Request
from ..contract.errors import Busy, Cancelled, Unavailable
from ..preferences import server_choice, server_target
from ..properties import settings
from ..scene.label_pass import render_label_map
from ..scene.label_rules import scene_label_set
from ..scene.view import flat_camera_of, label_map_size
from .polite import Polite

# a script waits this long for its picture: a cold server on a slow computer needs most of it
SCRIPT_PATIENCE_S = 300.0
SCRIPT_STEP_S = 0.005

_opened_for: tuple[str, ...] = ()


class SPADE_OT_generate(Polite, bpy.types.Operator):
    """Paint a backdrop from the labels the camera sees, and place it behind the scene"""

    bl_idname = "spade.generate"
    bl_label = "Generate"

    def invoke(self, context, event):
        return self.attempt(self.start, context)

    def start(self, context) -> None:
        """Take the labels and send them off; the timer does the rest."""
        press(context)
        pump.wake()

    def run(self, context) -> None:
        """The way of scripts: return when the picture is placed, raise when there is none."""
        job = press(context)
        deadline = time.monotonic() + SCRIPT_PATIENCE_S
        while job.is_live or (job.state is JobState.FINISHED and job.error is None):
            pump.step()
            if time.monotonic() > deadline:
                pump.board.cancel(job)
                raise Unavailable(
                    f"No picture came in {SCRIPT_PATIENCE_S:.0f} s.", fix="Look at the server's console."
                )
            if job.state is JobState.FINISHED and (why := pump.hindrance()):
                raise Busy(f"The picture is ready and lands {why}.", fix="It is kept: the sidebar places it.")
            time.sleep(SCRIPT_STEP_S)
        if job.error is not None:
            raise job.error
        if job.state is JobState.CANCELLED:
            raise Cancelled("The picture was cancelled.", fix="Generate again.")


class SPADE_OT_cancel(Polite, bpy.types.Operator):
    """Stop painting; the scene stays as it is"""

    bl_idname = "spade.cancel"
    bl_label = "Cancel"

    def run(self, context) -> None:
        job = pump.board.live_in(context.scene.session_uid)
        if job is not None:
            pump.board.cancel(job)
        pump.redraw()


class SPADE_OT_new_seed(Polite, bpy.types.Operator):
    """Draw a new number: the same labels give another picture"""

    bl_idname = "spade.new_seed"
    bl_label = "New Seed"
    bl_options = {"REGISTER", "UNDO"}

    which: bpy.props.EnumProperty(
        name="Seed", items=(("seed", "Seed", ""), ("style_seed", "Style Seed", "")), options={"SKIP_SAVE"}
    )

    def run(self, context) -> None:
        setattr(settings(context.scene), self.which, random.randrange(1_000_000))


def press(context: bpy.types.Context) -> Job:
    """What a press does: check, take the labels, hand the request to the board. Raises SpadeError."""
    if bpy.app.is_job_running("RENDER"):
        raise Busy("Blender is rendering.", fix="Generate again when the render is done.")
    scene, pressed_at = context.scene, time.monotonic()
    pump.board.error = None
    # first what is wrong at once, then what costs time: a backdrop needs a flat camera
    camera = flat_camera_of(scene)
    ready_connection()
    label_map = _take_labels(context, scene)
    wanted = settings(scene)
    request = Request(
        label_map=label_map,
        label_set=scene_label_set(scene),
        model=wanted.model,
        seed=wanted.seed,
        style_seed=wanted.style_seed if wanted.own_style_seed else None,
        scene_uid=scene.session_uid,
        scene_name=scene.name,
        blend_file=bpy.data.filepath,
        camera_name=camera.name,
        label_seconds=time.monotonic() - pressed_at,
    )
    return pump.board.add(request, pressed_at)


def ready_connection() -> None:
    """Connect, or start the local server, unless that has happened; returns at once. Raises SpadeError.

    Where the preferences name another server than the one we are at, that one is left, and its jobs with it.
    """
    global _opened_for
    connection, chosen = pump.board.connection, server_choice()
    if connection.state not in (State.OFF, State.LOST) and chosen == _opened_for:
        return
    target = server_target()
    if connection.state not in (State.OFF, State.LOST):
        for job in pump.board.live:
            pump.board.cancel(job)
    connection.open(target)
    _opened_for = chosen


def _take_labels(context: bpy.types.Context, scene: bpy.types.Scene):
    for thing in context.objects_in_mode if context.mode.startswith("EDIT") else ():
        thing.update_from_editmode()  # the render must see what the user sees
    manager, window = context.window_manager, context.window
    manager.progress_begin(0, 100)
    if window:
        window.cursor_modal_set("WAIT")
    try:
        taken = render_label_map(
            scene, label_map_size(scene), progress=lambda fraction: manager.progress_update(100 * fraction)
        )
    finally:
        manager.progress_end()
        if window:
            window.cursor_modal_restore()
    return taken.label_map


CLASSES = (SPADE_OT_generate, SPADE_OT_cancel, SPADE_OT_new_seed)
