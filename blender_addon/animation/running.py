# SPDX-License-Identifier: GPL-3.0-or-later
"""The one animation that is being painted; another file, and the add-on's end, end it. Its frames stay."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.app.handlers import persistent

from .. import handlers
from ..contract.errors import BusyError, SpadeError
from ..place.picture import hindrance
from ..session import current_session
from .animator import Animator
from .plan import AnimationPlan
from .sequence import show_frames

_running: Animator | None = None
_last: Animator | None = None


def running_animation() -> Animator | None:
    """The one that is being painted."""
    return _running


def last_animation() -> Animator | None:
    """The one that ended last, done or not, in this file."""
    return _last


def start_animation(scene: bpy.types.Scene, plan: AnimationPlan) -> Animator:
    """Begin one. Raises BusyError while another is being painted, and what `Animator` does."""
    global _running
    if _running is not None:
        raise BusyError("An animation is being painted already.", "Wait until it is done, or stop it.")
    _running = Animator(plan, scene)
    return _running


def stop_animation() -> None:
    """End the one that is being painted; the frames that are there stay, and the same press goes on after them."""
    global _running, _last
    animator, _running = _running, None
    if animator is not None:
        animator.close()
        _last = animator


def step() -> None:
    """Go on with it; show it once it is done, when the user's hands are free."""
    global _running, _last
    animator = _running
    if animator is None:
        return
    animator.step()
    if not animator.has_ended or (animator.error is None and hindrance() is not None):
        return
    _running, _last = None, animator
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


@persistent
def on_load(*_: Any) -> None:
    """Before another file is loaded."""
    global _last
    stop_animation()
    _last = None


_HANDLERS = {"load_pre": on_load}


def register() -> None:
    handlers.add(_HANDLERS)


def unregister() -> None:
    handlers.remove(_HANDLERS)
    on_load()
