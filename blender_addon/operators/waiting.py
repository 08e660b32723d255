# SPDX-License-Identifier: GPL-3.0-or-later
"""Scripts wait for what the timer brings users: they have no timer."""

from __future__ import annotations

import bpy

from ..bridge.jobs import Job, JobState
from ..contract.errors import BusyError, CancelledError, UnavailableError
from ..place.picture import hindrance
from ..scene_job import take_labels_here
from ..session import current_session
from ..timer import run_until

# A script waits this long for its picture: a cold server on a slow computer needs most of it.
SCRIPT_PATIENCE_S = 300.0
AS_LONG_AS_IT_TAKES_S = 30 * 24 * 3600.0
"""For work of many pictures: each has limits of its own."""


def wait_for_picture(job: Job) -> None:
    """Return when a job's picture is placed, with its layers if it has any.

    Raises SpadeError when there is none, or when it cannot land now.
    """
    if not run_until(lambda: _is_settled(job), SCRIPT_PATIENCE_S):
        current_session().board.cancel(job)
        raise too_late()
    if job.error is not None:
        raise job.error
    if job.state is JobState.FINISHED:
        why = hindrance() or "soon"
        raise BusyError(f"The picture is ready and lands {why}.", fix="It is kept: the sidebar places it.")
    if job.state is JobState.CANCELLED:
        raise CancelledError("The picture was cancelled.", fix="Generate again.")
    _wait_for_layers()


def _wait_for_layers() -> None:
    session = current_session()
    layers = session.layers
    if layers is None:
        return
    if not run_until(lambda: session.layers is not layers, SCRIPT_PATIENCE_S):
        raise too_late()
    if layers.error is not None:
        raise layers.error
    if not layers.is_whole:
        raise CancelledError("The picture is there, its layers were cancelled.", fix="Generate again.")


def too_late() -> UnavailableError:
    return UnavailableError(
        f"No picture came in {SCRIPT_PATIENCE_S:.0f} s.", fix="Look at the server's console."
    )


def _is_settled(job: Job) -> bool:
    """Whether nothing more will happen to a job by itself."""
    if job.is_live:
        return False
    return job.state is not JobState.FINISHED or job.error is not None or hindrance() is not None


def take_wanted_objects(context: bpy.types.Context, job: Job) -> None:
    """For scripts: wait until it is known whether a job's model looks at objects, and take them where it does."""
    scene = context.scene
    run_until(
        lambda: job.wants_objects or not (job.objects_can_come and job.state is JobState.WAITING),
        SCRIPT_PATIENCE_S,
    )
    if job.wants_objects and job.is_live:
        height, width = job.request.label_map.shape
        taken = take_labels_here(context, scene, (height, width), with_objects=True)
        current_session().board.labels_taken(job, taken.label_map, taken.instance_map)
