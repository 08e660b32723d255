# SPDX-License-Identifier: GPL-3.0-or-later
"""Paint a batch, and stop."""

from __future__ import annotations

import bpy

from ..animation.plan import frames_folder
from ..batch.batch import Batch
from ..batch.plan import RowState, plan_batch
from ..batch.running import running_batch, start_batch, stop_batch
from ..contract.errors import CancelledError
from ..sidebar import redraw
from .many_pictures import PaintsMany
from .reports_errors import ReportsErrors

FOLDER = "batch"
"""In the folder for frames."""


class SPADE_OT_batch(PaintsMany, bpy.types.Operator):
    """Paint a picture for each row of the table. What would come out as it is stays, so a press after a stop goes on"""

    bl_idname = "spade.batch"
    bl_label = "Paint Batch"

    def begin(self, context) -> Batch:
        folder = frames_folder(context.scene) / FOLDER
        return start_batch(context.scene, plan_batch(context), folder)

    def running(self) -> Batch | None:
        return running_batch()

    def stop(self) -> None:
        stop_batch()

    def refuse_unfinished(self, work: Batch) -> None:
        for row in work.plan.rows:
            if row.error is not None:
                raise row.error
        if any(row.state in (RowState.WAITING, RowState.CANCELLED) for row in work.plan.rows):
            raise CancelledError("The batch was stopped.", "Press again: it goes on there.")


class SPADE_OT_stop_batch(ReportsErrors, bpy.types.Operator):
    """Stop painting the batch, as Esc does. What is there stays, and Paint Batch goes on after it"""

    bl_idname = "spade.stop_batch"
    bl_label = "Stop"

    @classmethod
    def poll(cls, context) -> bool:
        return running_batch() is not None

    def run(self, context) -> None:
        stop_batch()
        redraw()


CLASSES = (SPADE_OT_batch, SPADE_OT_stop_batch)
