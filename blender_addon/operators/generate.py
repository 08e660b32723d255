# SPDX-License-Identifier: GPL-3.0-or-later
"""Generate and Cancel.

A press takes down all that the picture depends on and hands it to the board; the labels are taken in the background
(see `label_taking`). Scripts that call the operator without a user get the picture placed before it returns.
"""

from __future__ import annotations

import random

import bpy

from ..bridge.jobs import JobState
from ..place.viewport import pressed_in
from ..properties import settings
from ..scene.coverage import last_coverage
from ..scene_job import submit_scene
from ..session import current_session
from ..sidebar import redraw
from ..style.settings import SECOND
from ..timer import wake
from .reports_errors import ReportsErrors
from .waiting import take_wanted_objects, wait_for_picture


class SPADE_OT_generate(ReportsErrors, bpy.types.Operator):
    """Paint a backdrop from the labels the camera sees, and place it behind the scene"""

    bl_idname = "spade.generate"
    bl_label = "Generate"

    wait: bpy.props.BoolProperty(
        name="Wait",
        description="For scripts: return when the picture is placed, and not at once",
        default=True,
        options={"SKIP_SAVE", "HIDDEN"},
    )

    def execute(self, context):
        # Without a window nothing would bring the picture later.
        return self.reporting_errors(self.run if self.wait or bpy.app.background else self.start, context)

    def invoke(self, context, event):
        return self.reporting_errors(self.start, context)

    def start(self, context) -> set[str] | None:
        """Hand the request over; the timer does the rest. Until the labels are there, Esc cancels."""
        self.job = submit_scene(context)
        self.job.pressed_in = pressed_in(context)
        wake()
        if self.job.state is JobState.TAKING and context.window is not None:
            context.window_manager.modal_handler_add(self)
            return {"RUNNING_MODAL"}
        self.warn_of_unlabelled(context.scene)

    def modal(self, context, event):
        if self.job.state is JobState.TAKING:
            if event.type == "ESC" and event.value == "PRESS":
                current_session().board.cancel(self.job)
                redraw()
                return {"CANCELLED"}
            return {"PASS_THROUGH"}
        if self.job.is_live:
            self.warn_of_unlabelled(context.scene)
        return {"FINISHED", "PASS_THROUGH"}

    def run(self, context) -> None:
        """The way of scripts: return when the picture is placed, raise when there is none."""
        job = submit_scene(context, in_background=False, objects_later=True)
        self.warn_of_unlabelled(context.scene)
        take_wanted_objects(context, job)
        wait_for_picture(job)

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


CLASSES = (SPADE_OT_generate, SPADE_OT_cancel, SPADE_OT_new_seed)
