# SPDX-License-Identifier: GPL-3.0-or-later
"""The one batch that is being painted; another file, and the add-on's end, end it. Its pictures stay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
from bpy.app.handlers import persistent

from .. import handlers
from ..contract.errors import BusyError
from ..session import current_session
from .batch import Batch
from .plan import BatchPlan, Row

_running: Batch | None = None
_rows: dict[tuple[str, str, str], Row] = {}
"""Of the batch that ran last in this file, by their keys: for the table."""


def running_batch() -> Batch | None:
    """The one that is being painted."""
    return _running


def last_row(row: Row) -> Row | None:
    """What the batch that ran last in this file says of the same picture."""
    return _rows.get(row.key)


def start_batch(scene: bpy.types.Scene, plan: BatchPlan, folder: Path) -> Batch:
    """Begin one. Raises BusyError while another is being painted, and what `Batch` does."""
    global _running
    if _running is not None:
        raise BusyError("A batch is being painted already.", "Wait until it is done, or stop it.")
    _running = Batch(plan, scene, folder)
    _rows.clear()
    _rows.update({row.key: row for row in plan.rows})
    return _running


def stop_batch() -> None:
    """End the one that is being painted; what is there stays, and the same press goes on after it."""
    global _running
    batch, _running = _running, None
    if batch is not None:
        batch.close()


def step() -> None:
    """Go on with it."""
    global _running
    batch = _running
    if batch is None:
        return
    batch.step()
    if batch.has_ended:
        _running = None
        if batch.error is not None:
            current_session().show(batch.error, "spade.batch")


@persistent
def on_load(*_: Any) -> None:
    """Before another file is loaded."""
    stop_batch()
    _rows.clear()


_HANDLERS = {"load_pre": on_load}


def register() -> None:
    handlers.add(_HANDLERS)


def unregister() -> None:
    handlers.remove(_HANDLERS)
    on_load()
