# SPDX-License-Identifier: GPL-3.0-or-later
"""One installation: the process that does it, and how far it is."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from enum import Enum
from pathlib import Path
from threading import Thread
from typing import Any

from ..bridge.server_process import clean_environment, own_group
from ..contract.errors import CannotWriteError, SpadeError
from .explain import explain
from .plan import Plan
from .worker import CANCELLED, remove

WORKER = Path(__file__).with_name("worker.py")
CLOSE_PATIENCE_S = 3.0


class InstallState(Enum):
    """Where an installation is. The last three are ends."""

    RUNNING = "Installing"
    CANCELLING = "Cancelling"
    DONE = "Installed"
    CANCELLED = "Cancelled"
    FAILED = "Failed"


class Installation:
    """The process that installs by a plan. No call waits but close()."""

    def __init__(self, plan: Plan, log: Path) -> None:
        self.plan = plan
        self.log = log
        self.state = InstallState.RUNNING
        self.stage = ""
        self.fraction = 0.0
        self.error: SpadeError | None = None
        self._read = 0
        self._process = self._start()

    @property
    def has_ended(self) -> bool:
        return self.state not in (InstallState.RUNNING, InstallState.CANCELLING)

    def step(self) -> None:
        """Take what the process said, and see whether it has ended."""
        if self.has_ended:
            return
        code = self._process.poll()
        self._read_log()
        if code is None:
            return
        if self._process.stdin:
            self._process.stdin.close()
        _kill_group(self._process)  # what it started, where it could not see to that itself
        if code == 0:
            self.state = InstallState.DONE
        elif code == CANCELLED or self.state is InstallState.CANCELLING:
            self.state = InstallState.CANCELLED
        else:
            self.state, self.error = InstallState.FAILED, explain(self.log_text())

    def cancel(self) -> None:
        """Ask it to clean up and end; step() sees when it has."""
        if not self.has_ended:
            self.state = InstallState.CANCELLING
            with contextlib.suppress(OSError):
                assert self._process.stdin is not None
                self._process.stdin.close()

    def close(self) -> None:
        """For the end of Blender: a moment is waited for the process to clean up; it goes on by itself after that."""
        self.cancel()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(CLOSE_PATIENCE_S)

    def log_text(self) -> str:
        """All that the process said."""
        try:
            return self.log.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    def _start(self) -> subprocess.Popen[Any]:
        try:
            self.plan.root.mkdir(parents=True, exist_ok=True)
            with open(self.log, "wb") as log:
                process: subprocess.Popen[Any] = subprocess.Popen(
                    [sys.executable, "-I", str(WORKER), self.plan.specification()],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=clean_environment(),
                    **own_group(),
                )
                return process
        except OSError as problem:
            raise CannotWriteError(
                f"The installation could not begin: {problem.strerror or problem}.",
                fix=f"Check that '{self.plan.root}' can be written.",
            ) from None

    def _read_log(self) -> None:
        try:
            with open(self.log, "rb") as log:
                log.seek(self._read)
                text = log.read()
        except OSError:
            return
        whole = text[: text.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.splitlines():
            if line.startswith(b"@"):
                with contextlib.suppress(ValueError, KeyError):
                    said = json.loads(line[1:])
                    self.stage, self.fraction = said["stage"], said["fraction"]


def sweep(folders: list[Path]) -> None:
    """Remove folders in the background, for that takes seconds. What is left at the end is swept the next time."""
    if folders:
        Thread(target=lambda: [remove(str(folder)) for folder in folders], daemon=True).start()


def _kill_group(process: subprocess.Popen[Any]) -> None:
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
