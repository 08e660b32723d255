# SPDX-License-Identifier: GPL-3.0-or-later
"""Paint the animation, and stop."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty

from ..animation.animator import Animator
from ..animation.plan import plan_animation
from ..animation.running import running_animation, start_animation, stop_animation
from ..contract.errors import CancelledError
from ..sidebar import redraw
from ..timer import run_until, wake
from .reports_errors import ReportsErrors
from .waiting import AS_LONG_AS_IT_TAKES_S


class SPADE_OT_animate(ReportsErrors, bpy.types.Operator):
    """Paint all frames from the scene's start to its end. What was seen before stays as it was painted; frames that are
    there already stay, so a press after a stop goes on"""

    bl_idname = "spade.animate"
    bl_label = "Paint Animation"

    wait: BoolProperty(
        name="Wait",
        description="Return when all frames are there, as without a window",
        options={"SKIP_SAVE"},
    )

    def execute(self, context):
        wait = self.wait or bpy.app.background
        return self.reporting_errors(self.wait_for_all if wait else self.start, context)

    def start(self, context) -> None:
        """With a window: the timer does the rest."""
        self.begin(context)
        wake()
        redraw()

    def begin(self, context) -> Animator:
        """Check, and begin. Raises SpadeError."""
        return start_animation(context.scene, plan_animation(context))

    def wait_for_all(self, context) -> None:
        """The way of scripts: return when all frames are there and shown."""
        animator = self.begin(context)
        try:
            run_until(lambda: running_animation() is not animator, AS_LONG_AS_IT_TAKES_S)
        finally:
            if running_animation() is animator:
                stop_animation()
        if animator.error is not None:
            raise animator.error
        if animator.done < len(animator.plan.frames):
            raise CancelledError("The animation was stopped.", "Press again: it goes on there.")


class SPADE_OT_stop_animation(ReportsErrors, bpy.types.Operator):
    """Stop painting frames. Those that are there stay, and Paint Animation goes on after them"""

    bl_idname = "spade.stop_animation"
    bl_label = "Stop"

    def run(self, context) -> None:
        stop_animation()
        redraw()


CLASSES = (SPADE_OT_animate, SPADE_OT_stop_animation)
