# SPDX-License-Identifier: GPL-3.0-or-later
"""Generate and Cancel.

A press takes the labels (on the main thread: Blender renders nowhere else) and hands a complete request to the board;
from then on Blender is free. Scripts that call the operator without a user get the picture placed before it returns.
"""

from __future__ import annotations

import random
import time

import bpy
import numpy as np

from ..bridge.jobs import Job, JobState, SceneRequest
from ..contract.errors import BusyError, CancelledError, UnavailableError
from ..place.colors import find_colors
from ..place.picture import hindrance
from ..properties import settings
from ..scene.coverage import last_coverage
from ..scene.label_pass import render_label_map
from ..scene.label_rules import scene_label_set
from ..scene.view import flat_camera_of, label_map_shape
from ..session import current_session
from ..style.settings import SECOND, chosen_names
from ..style.wanted import wanted_style
from ..timer import redraw, run_until, wake
from .reports_errors import ReportsErrors

# A script waits this long for its picture: a cold server on a slow computer needs most of it.
SCRIPT_PATIENCE_S = 300.0


class SPADE_OT_generate(ReportsErrors, bpy.types.Operator):
    """Paint a backdrop from the labels the camera sees, and place it behind the scene"""

    bl_idname = "spade.generate"
    bl_label = "Generate"

    def invoke(self, context, event):
        in_view = isinstance(context.space_data, bpy.types.SpaceView3D)
        current_session().pressed_in = context.space_data.as_pointer() if in_view else 0
        return self.reporting_errors(self.start, context)

    def start(self, context) -> None:
        """Take the labels and send them off; the timer does the rest."""
        submit_scene(context)
        self.warn_of_unlabelled(context.scene)
        wake()

    def run(self, context) -> None:
        """The way of scripts: return when the picture is placed, raise when there is none."""
        job = submit_scene(context)
        self.warn_of_unlabelled(context.scene)
        if not run_until(lambda: _is_settled(job), SCRIPT_PATIENCE_S):
            current_session().board.cancel(job)
            raise UnavailableError(
                f"No picture came in {SCRIPT_PATIENCE_S:.0f} s.", fix="Look at the server's console."
            )
        if job.error is not None:
            raise job.error
        if job.state is JobState.FINISHED:
            why = hindrance() or "soon"
            raise BusyError(
                f"The picture is ready and lands {why}.", fix="It is kept: the sidebar places it."
            )
        if job.state is JobState.CANCELLED:
            raise CancelledError("The picture was cancelled.", fix="Generate again.")

    def warn_of_unlabelled(self, scene: bpy.types.Scene) -> None:
        """Before anything is painted, say when much of what the camera sees has no label."""
        coverage = last_coverage(scene)
        if coverage is not None and coverage.warning is not None:
            self.report({"WARNING"}, coverage.warning)


class SPADE_OT_cancel(ReportsErrors, bpy.types.Operator):
    """Stop painting; the scene is as it was before"""

    bl_idname = "spade.cancel"
    bl_label = "Cancel"

    def run(self, context) -> None:
        board = current_session().board
        job = board.live_in(context.scene.session_uid)
        if job is not None:
            board.cancel(job)
        redraw()


class SPADE_OT_new_seed(ReportsErrors, bpy.types.Operator):
    """Draw a new number: the same labels give another picture"""

    bl_idname = "spade.new_seed"
    bl_label = "New Seed"
    bl_options = {"REGISTER", "UNDO"}

    which: bpy.props.EnumProperty(
        name="Seed",
        description="Which of the scene's seeds",
        items=(
            ("seed", "Seed", ""),
            ("style_seed", "Style Seed", ""),
            (f"{SECOND}_seed", "Second Style's Seed", ""),
        ),
        options={"SKIP_SAVE"},
    )

    def run(self, context) -> None:
        setattr(settings(context.scene), self.which, random.randrange(1_000_000))


def submit_scene(context: bpy.types.Context) -> Job:
    """Check, take the labels, and hand the request to the board; the picture comes later. Raises SpadeError."""
    if bpy.app.is_job_running("RENDER"):
        raise BusyError("Blender is rendering.", fix="Generate again when the render is done.")
    scene, session, pressed_at = context.scene, current_session(), time.monotonic()
    session.dismiss()
    # First what is wrong at once, then what costs time: a backdrop needs a flat camera.
    camera = flat_camera_of(scene)
    session.connect()
    find_colors(scene)  # is found while the server paints
    shape = label_map_shape(scene)
    if (problem := session.connection.too_large(shape)) is not None:
        raise problem
    wanted = settings(scene)
    if (problem := session.connection.missing_style(wanted.model, chosen_names(wanted))) is not None:
        raise problem
    style = wanted_style(scene)
    label_map = _take_labels(context, scene, shape)
    request = SceneRequest(
        label_map=label_map,
        label_set=scene_label_set(scene),
        model=wanted.model,
        seed=wanted.seed,
        scene_uid=scene.session_uid,
        scene_name=scene.name,
        blend_file=bpy.data.filepath,
        camera_name=camera.name,
        label_seconds=time.monotonic() - pressed_at,
        upscale="auto" if wanted.upscale else "off",
        style=style.style,
        strength=style.strength,
        style_facts=style.facts,
    )
    return session.board.add(request, pressed_at)


def _is_settled(job: Job) -> bool:
    """Whether nothing more will happen to a job by itself."""
    if job.is_live:
        return False
    return job.state is not JobState.FINISHED or job.error is not None or hindrance() is not None


def _take_labels(context: bpy.types.Context, scene: bpy.types.Scene, shape: tuple[int, int]) -> np.ndarray:
    for thing in context.objects_in_mode if context.mode.startswith("EDIT") else ():
        thing.update_from_editmode()  # The render must see what the user sees.
    manager, window = context.window_manager, context.window
    manager.progress_begin(0, 100)
    if window:
        window.cursor_modal_set("WAIT")
    try:
        taken = render_label_map(
            scene, shape, progress=lambda fraction: manager.progress_update(100 * fraction)
        )
    finally:
        manager.progress_end()
        if window:
            window.cursor_modal_restore()
    return taken.label_map


CLASSES = (SPADE_OT_generate, SPADE_OT_cancel, SPADE_OT_new_seed)
