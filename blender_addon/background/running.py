# SPDX-License-Identifier: GPL-3.0-or-later
"""The one work in the background that is under way."""

from __future__ import annotations

from collections.abc import Callable

from ..at_work import AtWork
from ..contract.errors import BusyError
from .work import BackgroundWork

at_work: AtWork[BackgroundWork] = AtWork(
    lambda work: BusyError(
        f"A Blender in the background is at work already ({work.doing}).",
        "Wait until it is done, or cancel it with Esc.",
    )
)


def running_work() -> BackgroundWork | None:
    """What is under way."""
    return at_work.work


def start_work(start: Callable[[], BackgroundWork]) -> BackgroundWork:
    """Begin one. Raises BusyError while another is under way, and what its start does."""
    return at_work.start(start)


def take_work() -> BackgroundWork | None:
    """Let go of the one that has ended, to show what it made."""
    return at_work.take()


def stop_work() -> None:
    """End the one that is under way, and show nothing of it."""
    at_work.stop()
