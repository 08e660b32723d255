# SPDX-License-Identifier: GPL-3.0-or-later
"""The base of operators that stay with their picture until it is placed; Esc ends them.

The view that they were pressed in shows the picture then, and goes on looking from where it does.
"""

from __future__ import annotations

import bpy

from ..bridge.jobs import Job, JobState
from ..place.viewport import pressed_in, show_as_it_looks
from ..session import current_session
from ..sidebar import redraw
from ..timer import wake
from .reports_errors import ReportsErrors

_LOOK_S = 0.1


class WatchesJob(ReportsErrors):
    """A mixin: hand a job to `watch`, and say in `go_on` what follows when it has ended."""

    job: Job

    def go_on(self, context: bpy.types.Context) -> Job | None:
        """The job has ended, placed or not: the next one, if any. Raises SpadeError."""
        raise NotImplementedError

    def watch(self, context: bpy.types.Context, job: Job) -> set[str]:
        self.job, self.view = job, pressed_in(context)
        wake()
        manager = context.window_manager
        self._clock = manager.event_timer_add(_LOOK_S, window=context.window)
        manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context, event):
        if event.type == "ESC" and event.value == "PRESS" and self.job.is_live:
            current_session().board.cancel(self.job)
            redraw()
            return {"RUNNING_MODAL"}  # the key is used up: nothing else is to end by it
        if self.job.is_live or (self.job.state is JobState.FINISHED and self.job.error is None):
            return {"PASS_THROUGH"}
        if "RUNNING_MODAL" in self.reporting_errors(self._follow, context):
            return {"PASS_THROUGH"}
        context.window_manager.event_timer_remove(self._clock)
        return {"FINISHED", "PASS_THROUGH"}

    def _follow(self, context: bpy.types.Context) -> set[str] | None:
        if self.job.state is JobState.PLACED:
            show_as_it_looks(self.view)
        following = self.go_on(context)
        if following is None:
            return None
        self.job = following
        wake()
        return {"RUNNING_MODAL"}
