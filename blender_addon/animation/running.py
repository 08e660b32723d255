# SPDX-License-Identifier: GPL-3.0-or-later
"""The one animation that is being painted."""

from __future__ import annotations

import bpy

from ..at_work import AtWork
from ..contract.errors import BusyError, SpadeError
from ..place.picture import hindrance
from ..session import current_session
from .animator import Animator
from .plan import AnimationPlan
from .sequence import show_frames

at_work: AtWork[Animator] = AtWork(
    lambda _: BusyError("An animation is being painted already.", "Wait until it is done, or stop it.")
)


def running_animation() -> Animator | None:
    """The one that is being painted."""
    return at_work.work


def last_animation() -> Animator | None:
    """The one that ended last, done or not, in this file."""
    return at_work.last


def start_animation(scene: bpy.types.Scene, plan: AnimationPlan) -> Animator:
    """Begin one. Raises BusyError while another is being painted, and what `Animator` does."""
    return at_work.start(lambda: Animator(plan, scene))


def stop_animation() -> None:
    """End the one that is being painted; the frames that are there stay, and the same press goes on after them."""
    at_work.stop()


def step() -> None:
    """Go on with it; show it once it is done, when the user's hands are free."""
    animator = at_work.work
    if animator is None:
        return
    animator.step()
    if not animator.has_ended or (animator.error is None and hindrance() is not None):
        return
    at_work.take()
    if animator.error is not None:
        current_session().show(animator.error, "spade.animate")
        return
    scene = next((each for each in bpy.data.scenes if each.session_uid == animator.plan.scene_uid), None)
    assert animator.frames is not None
    if scene is not None:
        try:
            show_frames(scene, animator.plan.frames, animator.frames)
        except SpadeError as problem:
            animator.error = problem
            current_session().show(problem, "spade.animate")
            return
        animator.show_in_view()
        bpy.ops.ed.undo_push(message="Place Animation")
