# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators that paint many pictures: with a window they begin, and the timer does the rest; scripts wait."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import BoolProperty

from ..long_work import LongWork
from ..place.viewport import pressed_in
from ..sidebar import redraw
from ..timer import run_until, wake
from .reports_errors import ReportsErrors
from .waiting import AS_LONG_AS_IT_TAKES_S


class PaintsMany(ReportsErrors):
    """Implement the last four."""

    wait: BoolProperty(
        name="Wait",
        description="Return when all pictures are there, as without a window",
        options={"SKIP_SAVE"},
    )

    def execute(self, context):
        wait = self.wait or bpy.app.background
        return self.reporting_errors(self.wait_for_all if wait else self.start, context)

    def start(self, context) -> None:
        """With a window."""
        self.begin(context).pressed_in = pressed_in(context)
        wake()
        redraw()

    def wait_for_all(self, context) -> None:
        """The way of scripts: return when all pictures are there."""
        work = self.begin(context)
        try:
            run_until(lambda: self.running() is not work, AS_LONG_AS_IT_TAKES_S)
        finally:
            if self.running() is work:
                self.stop()
        if work.error is not None:
            raise work.error
        self.refuse_unfinished(work)

    def begin(self, context) -> LongWork:
        """Check, and begin. Raises SpadeError."""
        raise NotImplementedError

    def running(self) -> LongWork | None:
        """What is being painted of this kind."""
        raise NotImplementedError

    def stop(self) -> None:
        """End that."""
        raise NotImplementedError

    def refuse_unfinished(self, work: Any) -> None:
        """Raises the first thing that went wrong in one of the pictures, or CancelledError where some are missing."""
        raise NotImplementedError
