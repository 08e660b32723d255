# SPDX-License-Identifier: GPL-3.0-or-later
"""The base of operators whose work another Blender does: with a window Esc ends it, scripts wait until it is done."""

from __future__ import annotations

import time
from typing import Any

import bpy

from ..background.running import running_work, start_work, stop_work, take_work
from ..background.work import BackgroundWork
from ..session import current_session
from ..sidebar import redraw
from .reports_errors import ReportsErrors

_STEP_S = 0.1


class WorksInBackground(ReportsErrors):
    """A mixin: implement `begin(context)`, which checks and starts the work, and `land(context, work)`, which shows
    what there is of it when it has ended; both raise SpadeError for anything the user should know.
    """

    def begin(self, context: bpy.types.Context) -> BackgroundWork:
        raise NotImplementedError

    def land(self, context: bpy.types.Context, work: Any) -> str:
        """Returns what there is now, in a sentence."""
        raise NotImplementedError

    def give_back(self, work: Any) -> None:
        """It was cancelled: what `begin` has changed is to be as it was."""

    def execute(self, context) -> set[str]:
        return self.reporting_errors(self.wait if bpy.app.background else self.start, context)

    def start(self, context) -> set[str]:
        """With a window: the other Blender works, and this one goes on."""
        self.begun(context)
        manager: Any = context.window_manager
        self.clock = manager.event_timer_add(_STEP_S, window=context.window)
        manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def begun(self, context) -> BackgroundWork:
        """It works; what the panel said before is over."""
        work = start_work(lambda: self.begin(context))
        work.begun_by = type(self).bl_idname
        current_session().dismiss()
        return work

    def modal(self, context, event) -> set[str]:
        work = running_work()
        if work is None:  # another file was loaded
            return self.leave(context, {"CANCELLED"})
        work.step()
        if event.type == "ESC" and event.value == "PRESS":
            stop_work()
            self.give_back(work)
            current_session().tell("Cancelled: no file was written.")
            return self.leave(context, {"CANCELLED"})
        if not work.has_ended:
            redraw()
            return {"PASS_THROUGH"}
        return self.leave(context, self.reporting_errors(self.finish, context))

    def leave(self, context, result: set[str]) -> set[str]:
        context.window_manager.event_timer_remove(self.clock)
        redraw()
        return result

    def wait(self, context) -> None:
        """The way of scripts: return when all is done."""
        work = self.begun(context)
        try:
            while not work.has_ended:
                work.step()
                time.sleep(0.01)
        finally:
            if not work.has_ended:
                stop_work()
        self.finish(context)

    def finish(self, context) -> None:
        """Show what there is; then say what went wrong. Raises SpadeError."""
        work = take_work()
        assert work is not None
        try:
            said = self.land(context, work)
        finally:
            work.close()
        if work.error is not None:
            raise work.error
        current_session().tell(said)
