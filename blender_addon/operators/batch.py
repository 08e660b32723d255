# SPDX-License-Identifier: GPL-3.0-or-later
"""Paint a batch, and stop."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty

from ..animation.plan import frames_folder
from ..batch.batch import Batch
from ..batch.plan import RowState, plan_batch
from ..batch.running import running_batch, start_batch, stop_batch
from ..contract.errors import CancelledError
from ..sidebar import redraw
from ..timer import run_until, wake
from .reports_errors import ReportsErrors
from .waiting import AS_LONG_AS_IT_TAKES_S

FOLDER = "batch"
"""In the folder for frames."""


class SPADE_OT_batch(ReportsErrors, bpy.types.Operator):
    """Paint a picture for each row of the table. What would come out as it is stays, so a press after a stop goes on"""

    bl_idname = "spade.batch"
    bl_label = "Paint Batch"

    wait: BoolProperty(
        name="Wait",
        description="Return when all pictures are there, as without a window",
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

    def begin(self, context) -> Batch:
        """Check, and begin. Raises SpadeError."""
        folder = frames_folder(context.scene) / FOLDER
        return start_batch(context.scene, plan_batch(context), folder)

    def wait_for_all(self, context) -> None:
        """The way of scripts: return when all pictures are there; raise the first thing that went wrong."""
        batch = self.begin(context)
        try:
            run_until(lambda: running_batch() is not batch, AS_LONG_AS_IT_TAKES_S)
        finally:
            if running_batch() is batch:
                stop_batch()
        for row in batch.plan.rows:
            if row.error is not None:
                raise row.error
        if any(row.state in (RowState.WAITING, RowState.CANCELLED) for row in batch.plan.rows):
            raise CancelledError("The batch was stopped.", "Press again: it goes on there.")


class SPADE_OT_stop_batch(ReportsErrors, bpy.types.Operator):
    """Stop painting the batch. The pictures that are there stay, and Paint Batch goes on after them"""

    bl_idname = "spade.stop_batch"
    bl_label = "Stop"

    def run(self, context) -> None:
        stop_batch()
        redraw()


CLASSES = (SPADE_OT_batch, SPADE_OT_stop_batch)
