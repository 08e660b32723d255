# SPDX-License-Identifier: GPL-3.0-or-later
"""The one batch that is being painted."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..at_work import AtWork
from ..contract.errors import BusyError
from ..session import current_session
from .batch import Batch
from .plan import BatchPlan, Row

at_work: AtWork[Batch] = AtWork(
    lambda _: BusyError("A batch is being painted already.", "Wait until it is done, or stop it.")
)


def running_batch() -> Batch | None:
    """The one that is being painted."""
    return at_work.work


def last_rows() -> dict[tuple[str, str, str], Row]:
    """Of the batch that ran last in this file, or runs, by their keys: for the table."""
    batch = at_work.work or at_work.last
    return {row.key: row for row in batch.plan.rows} if batch is not None else {}


def start_batch(scene: bpy.types.Scene, plan: BatchPlan, folder: Path) -> Batch:
    """Begin one. Raises BusyError while another is being painted, and what `Batch` does."""
    return at_work.start(lambda: Batch(plan, scene, folder))


def stop_batch() -> None:
    """End the one that is being painted; what is there stays, and the same press goes on after it."""
    at_work.stop()


def step() -> None:
    """Go on with it."""
    batch = at_work.work
    if batch is None:
        return
    batch.step()
    if batch.has_ended:
        at_work.take()
        if batch.error is not None:
            current_session().show(batch.error, "spade.batch")
