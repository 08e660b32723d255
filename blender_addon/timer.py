# SPDX-License-Identifier: GPL-3.0-or-later
"""The one timer: moves the jobs, places their pictures, and redraws the panel when something has changed.

`step()` is all it does; the timer calls it in the GUI, tests and scripts call it themselves, or `run_until` (timers
never fire in Blender as a module).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import bpy

from . import free_device
from .animation import running as animation
from .batch import running as batch
from .bridge.jobs import JobState
from .contract.errors import InternalError, SpadeError
from .install.installer import current_installer
from .label_taking import current_labels
from .place.layers.making import CardMaking
from .place.picture import (
    hindrance,
    lay_out,
    place_picture,
    scene_of,
    settle_painting,
    show_painting,
    wants_layers,
)
from .place.viewport import show_in_view
from .scene.label_sets import use_label_set
from .session import Session, current_session
from .sidebar import redraw

BUSY_INTERVAL_S = 0.04
TAKING_INTERVAL_S = 0.01  # labels of a usual size are there in a moment
IDLE_INTERVAL_S = 0.5
SCRIPT_STEP_S = 0.005

_log = logging.getLogger(__name__)


def register() -> None:
    """Nothing runs until somebody wakes the timer."""


def unregister() -> None:
    if bpy.app.timers.is_registered(tick):
        bpy.app.timers.unregister(tick)


def wake() -> None:
    """Run the timer, if it does not run yet."""
    if not bpy.app.timers.is_registered(tick):
        bpy.app.timers.register(tick, first_interval=0.0, persistent=True)  # persistent: survives a file load


def step() -> None:
    """Everything the timer does, once. Never waits, never raises for what the user can mend."""
    session = current_session()
    current_labels().step()
    session.step()
    animation.step()
    batch.step()
    free_device.step()
    if hindrance() is None:
        _place_pictures(session)
        _show_paintings(session)
        _lay_out(session)
        _take_label_set(session)
    if (shown := _shown(session)) != session.last_drawn:
        session.last_drawn = shown
        redraw()


def run_until(done: Callable[[], bool], seconds: float) -> bool:
    """For scripts, which have no timer: step until it is done. False where it was not done in time."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            return False
        step()
        time.sleep(SCRIPT_STEP_S)
    return True


def tick() -> float | None:
    """What Blender calls: a step, and the seconds until the next one; None when there is nothing left to do."""
    session = current_session()
    try:
        step()
    except Exception as problem:
        # An error that left here would end the timer, and with it every job to come.
        _log.exception("a step failed")
        sentence = f"A fault in the add-on stopped a step ({type(problem).__name__})."
        session.show(InternalError(sentence, fix="Please report it with what the system console says."))
    is_long = animation.running_animation() is not None or batch.running_batch() is not None
    if session.is_idle and current_labels().is_idle and not is_long:
        return None
    if not current_labels().is_idle:
        return TAKING_INTERVAL_S
    is_busy = session.board.live or session.connection.is_starting or session.wanted_label_set is not None
    is_busy = is_busy or is_long or session.layers or current_installer().running is not None
    return BUSY_INTERVAL_S if is_busy else IDLE_INTERVAL_S


def _place_pictures(session: Session) -> None:
    for job in session.board.finished:
        scene = scene_of(job.request)
        # One that its scene refused is not tried again until the user says so.
        if scene is not None and job.error is None:
            try:
                place_picture(session.board, job, scene)
            except SpadeError as problem:
                session.show(problem)
            else:
                show_in_view(job.pressed_in)
                if wants_layers(job):
                    session.paint_layers(job)


def _lay_out(session: Session) -> None:
    """Let cards stand where all that is behind them was painted."""
    layers = session.layers
    if layers is None or not (layers.is_whole or layers.was_stopped):
        return
    if layers.is_whole:
        if session.cards is None or session.cards.painted is not layers:
            session.cards = CardMaking(layers)
        if not session.cards.step():
            return
    making, scene = session.cards, scene_of(layers.placed.request)
    session.layers = session.cards = None
    if layers.is_whole and making is not None and scene is not None:
        lay_out(layers, making.cards, scene)


def _show_paintings(session: Session) -> None:
    """Show the small pictures that are there before the whole ones; see off those whose jobs have ended."""
    for job in [job for job in session.board.live if job.lands]:
        scene = scene_of(job.request)
        if job.painting is not None and job not in session.shown_paintings and scene is not None:
            session.shown_paintings.append(job)
            try:
                show_painting(job, scene)
            except SpadeError:
                continue  # the finished picture will say it
            show_in_view(job.pressed_in)
    for job in list(session.shown_paintings):
        if not job.is_live and job.state is not JobState.FINISHED:
            session.shown_paintings.remove(job)
            settle_painting(job)


def _take_label_set(session: Session) -> None:
    """Give the scene that waits for the model's label set what the server answered."""
    wanted = session.wanted_label_set
    if wanted is None or not wanted.question.has_ended:
        return
    session.wanted_label_set = None
    scene = next((scene for scene in bpy.data.scenes if scene.session_uid == wanted.scene_uid), None)
    if wanted.question.error is not None:
        session.show(wanted.question.error)
    elif wanted.question.label_set is not None and scene is not None:
        use_label_set(scene, wanted.question.label_set)
        session.dismiss()
        bpy.ops.ed.undo_push(message="Use the Model's Label Set")


def _shown(session: Session) -> tuple:
    """What the panels show of the session; another value asks for another drawing."""
    board, connection = session.board, session.connection
    # One that does not land is seen as a variation, or over the views, as live painting has it.
    seen = [job for job in board.live + board.finished if job.lands or session.variations]
    jobs = [(id(job), job.state, job.stage, round(job.fraction, 2)) for job in seen]
    models = connection.welcome.models if connection.welcome else ()
    pictured = [session.thumbnails(model.digest) is not None for model in models]
    waits = int(connection.waited_s), session.wanted_label_set is not None, session.diagnostics is not None
    installs = current_installer().running
    installing = (installs.state, installs.stage, round(installs.fraction, 2)) if installs else None
    varied = len(session.variations.pictures) if session.variations else None
    stands = session.layers is None, session.error, id(board.last_placed), hindrance(), varied
    animator = animation.running_animation()
    frames = animator.done if animator else None
    rows = [row.state for row in running.plan.rows] if (running := batch.running_batch()) else None
    return jobs, connection.state, waits, installing, models, pictured, frames, rows, *stands
