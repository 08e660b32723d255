# SPDX-License-Identifier: GPL-3.0-or-later
"""The one work of a kind that is under way; another file, and the add-on's end, end it. What is finished stays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from bpy.app.handlers import persistent

from . import handlers
from .contract.errors import BusyError


class Closes(Protocol):
    def close(self) -> None:
        """End it, whatever it does."""


Work = TypeVar("Work", bound=Closes)


class AtWork(Generic[Work]):
    """work: None while there is none. last: the one before, of this file."""

    def __init__(self, busy: Callable[[Work], BusyError]) -> None:
        """busy: what another one that is to begin meanwhile is refused with."""
        self.work: Work | None = None
        self.last: Work | None = None
        self._busy = busy

        @persistent
        def on_load(*_: Any) -> None:
            self._forget()

        self._handlers = {"load_pre": on_load}

    def start(self, begin: Callable[[], Work]) -> Work:
        """Begin one. Raises BusyError while another is under way, and what its start does."""
        if self.work is not None:
            raise self._busy(self.work)
        self.work = begin()
        return self.work

    def take(self) -> Work | None:
        """Let go of it once it has ended, to show what it made."""
        if self.work is not None:
            self.last, self.work = self.work, None
            return self.last
        return None

    def stop(self) -> None:
        """End it, whatever it does."""
        if (work := self.take()) is not None:
            work.close()

    def register(self) -> None:
        handlers.add(self._handlers)

    def unregister(self) -> None:
        handlers.remove(self._handlers)
        self._forget()

    def _forget(self) -> None:
        self.stop()
        self.last = None
