# SPDX-License-Identifier: Apache-2.0
"""When a server comes and goes: its connection file, its parent, its signals."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spade_core.contract.client import Client
from spade_core.contract.connection import (
    ConnectionInfo,
    process_is_alive,
    read_connection_file,
    write_connection_file,
)
from spade_core.contract.errors import BusyError, CannotWriteError, SpadeError


@contextmanager
def announced(path: Path, connection: ConnectionInfo) -> Iterator[None]:
    """The connection file exists within. Raises CannotWriteError, and BusyError where another server has it."""
    _refuse_taken(path)
    try:
        write_connection_file(path, connection)
    except OSError as problem:
        raise CannotWriteError(
            f"The connection file '{path}' cannot be written: {problem.strerror}.",
            "Choose another place with --connection-file.",
        ) from None
    try:
        yield
    finally:
        _remove_own(path, connection.pid)


def _refuse_taken(path: Path) -> None:
    try:
        other = read_connection_file(path)
        with Client.control_of(path) as control:
            pids = control.status(timeout_s=1.0).pids
    except SpadeError:
        return  # of none that answers
    if other.pid in pids and other.pid != os.getpid():
        raise BusyError(
            f"A server runs already and is announced in '{path}' (process {other.pid}).",
            "Stop it, or announce this one elsewhere with --connection-file.",
        )


def _remove_own(path: Path, pid: int) -> None:
    # Another server may have put its own file there since.
    try:
        if json.loads(path.read_text(encoding="utf-8")).get("pid") == pid:
            path.unlink()
    except (OSError, ValueError):
        pass


class ParentWatch:
    """Whether the process that a server belongs to still lives."""

    def __init__(self, pid: int | None):
        self._pid = pid
        self._is_parent = sys.platform != "win32" and pid == os.getppid()

    def gone(self) -> bool:
        """True once it has ended; also while nobody has collected its exit status yet."""
        if self._pid is None:
            return False
        if self._is_parent:  # the surest sign, and immune to the number being given to another process
            return os.getppid() != self._pid or is_zombie(self._pid)
        return not process_is_alive(self._pid) or is_zombie(self._pid)


def is_zombie(pid: int) -> bool:
    """Whether a process has ended, and only its exit status is left."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (OSError, IndexError):
        return False


class StopSignals:
    """Counts the requests to stop: the first asks to finish what was begun, the second to leave at once."""

    def __init__(self) -> None:
        self.count = 0
        for name in ("SIGTERM", "SIGINT", "SIGBREAK"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), self._asked)

    def _asked(self, *_: object) -> None:
        self.count += 1
