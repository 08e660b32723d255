# SPDX-License-Identifier: Apache-2.0
"""A console that never holds up who writes to it: behind a pipe that nobody reads, a plain one blocks for ever."""

from __future__ import annotations

import io
import queue
import sys
import threading
import time
from typing import TextIO

WAITING = 1000
"""Pieces of text that may wait to be written; what comes on top is lost."""


class PatientConsole(io.TextIOBase):
    """Writes to another stream in a thread of its own."""

    def __init__(self, stream: TextIO):
        self._stream = stream
        self._texts: queue.Queue[str] = queue.Queue(WAITING)
        threading.Thread(target=self._write_on, daemon=True).start()

    def write(self, text: str) -> int:
        try:
            self._texts.put_nowait(text)
        except queue.Full:
            pass
        return len(text)

    def fileno(self) -> int:
        return self._stream.fileno()

    def drain(self, patience_s: float) -> None:
        """Wait until all is written, but not for ever."""
        end = time.monotonic() + patience_s
        while self._texts.unfinished_tasks and time.monotonic() < end:
            time.sleep(0.01)

    def _write_on(self) -> None:
        while True:
            text = self._texts.get()
            try:
                self._stream.write(text)
                self._stream.flush()
            except (OSError, ValueError):
                pass  # whoever read the console has gone; that is no reason to stop
            self._texts.task_done()


def make_patient() -> PatientConsole:
    """Let all that this process says, on stderr and stdout, go through one."""
    console = PatientConsole(sys.stderr)
    sys.stderr = sys.stdout = console
    return console
