# SPDX-License-Identifier: GPL-3.0-or-later
"""Paint the animation, and stop."""

from __future__ import annotations

import bpy

from ..animation.animator import Animator
from ..animation.plan import plan_animation
from ..animation.running import running_animation, start_animation, stop_animation
from ..contract.errors import CancelledError
from ..sidebar import redraw
from .many_pictures import PaintsMany
from .reports_errors import ReportsErrors


class SPADE_OT_animate(PaintsMany, bpy.types.Operator):
    """Paint all frames from the scene's start to its end. What was seen before stays as it was painted; frames that are
    there already stay, so a press after a stop goes on"""

    bl_idname = "spade.animate"
    bl_label = "Paint Animation"

    def begin(self, context) -> Animator:
        return start_animation(context.scene, plan_animation(context))

    def running(self) -> Animator | None:
        return running_animation()

    def stop(self) -> None:
        stop_animation()

    def refuse_unfinished(self, work: Animator) -> None:
        if not work.is_whole:
            raise CancelledError("The animation was stopped.", "Press again: it goes on there.")


class SPADE_OT_stop_animation(ReportsErrors, bpy.types.Operator):
    """Stop painting frames, as Esc does. Those that are there stay, and Paint Animation goes on after them"""

    bl_idname = "spade.stop_animation"
    bl_label = "Stop"

    @classmethod
    def poll(cls, context) -> bool:
        return running_animation() is not None

    def run(self, context) -> None:
        stop_animation()
        redraw()


CLASSES = (SPADE_OT_animate, SPADE_OT_stop_animation)
