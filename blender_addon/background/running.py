# SPDX-License-Identifier: GPL-3.0-or-later
"""The one work in the background that is under way; another file, and the add-on's end, end it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bpy.app.handlers import persistent

from .. import handlers
from ..contract.errors import BusyError
from .work import BackgroundWork

_running: BackgroundWork | None = None


def running_work() -> BackgroundWork | None:
    """What is under way."""
    return _running


def start_work(start: Callable[[], BackgroundWork]) -> BackgroundWork:
    """Begin one. Raises BusyError while another is under way, and what its start does."""
    global _running
    if _running is not None:
        raise BusyError(
            f"A Blender in the background is at work already ({_running.doing}).",
            "Wait until it is done, or cancel it with Esc.",
        )
    _running = start()
    return _running


def take_work() -> BackgroundWork | None:
    """Let go of the one that has ended, to show what it made."""
    global _running
    work, _running = _running, None
    return work


def stop_work() -> None:
    """End the one that is under way, and show nothing of it."""
    work = take_work()
    if work is not None:
        work.close()


@persistent
def on_load(*_: Any) -> None:
    """Before another file is loaded."""
    stop_work()


_HANDLERS = {"load_pre": on_load}


def register() -> None:
    handlers.add(_HANDLERS)


def unregister() -> None:
    handlers.remove(_HANDLERS)
    stop_work()
