# SPDX-License-Identifier: GPL-3.0-or-later
"""The server we start: its console is kept, and what was started is stopped.

Readiness is the connection file that the server writes when it answers, never a line in its log. The console
goes to a file, so that no thread has to drain a pipe and the last words survive a crash.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..contract.errors import UnavailableError
from .old_logs import remove_old_logs

CONSOLE_TAIL_BYTES = 8192
LOG_BYTES = 1_000_000
STOP_PATIENCE_S = 3.0
CLOSE_STEP_S = 0.01
START_PATIENCE_S = 90.0
# A broker that keeps dying is broken: say so instead of starting it for ever.
RESTARTS_ALLOWED = 3
RESTART_WINDOW_S = 60.0


@dataclass(frozen=True)
class ServerLaunch:
    """All that starting a local server needs.

    command: the program and its first arguments, or empty to look for `spade-server`.
    folder: where the connection file and the console go; made when missing.
    parent_pid: the server leaves when this process is gone.
    """

    command: tuple[str, ...]
    folder: Path
    parent_pid: int
    extra_arguments: tuple[str, ...] = ()

    @property
    def connection_file(self) -> Path:
        # One file for each Blender, so that two of them never take each other's server.
        return self.folder / f"server-{self.parent_pid}.json"

    @property
    def console_file(self) -> Path:
        return self.folder / f"server-{self.parent_pid}.log"


class ServerProcess:
    """One server that we started and therefore stop. A context manager; no call waits but close()."""

    def __init__(self, config: ServerLaunch, stop_patience_s: float = STOP_PATIENCE_S) -> None:
        """stop_patience_s: how long a server that was told to end may take until it is killed."""
        self.config = config
        self.started_at = 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self._address = ""
        self._restarts: list[float] = []
        self._stop_patience_s = stop_patience_s
        self._kill_at: float | None = None  # set while it was told to end

    def __enter__(self) -> ServerProcess:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """None until it was started."""
        return self._process.pid if self._process else None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def is_ready(self) -> bool:
        """Whether the server has written its connection file, which it does once it answers."""
        return self.is_running and self.config.connection_file.is_file()

    def start(self) -> None:
        """Start the server, unless it runs; returns at once. Raises UnavailableError when the program cannot be run."""
        if self.is_running:
            return
        config = self.config
        command = [*config.command, "--connection-file", str(config.connection_file)]
        command += ["--parent-pid", str(config.parent_pid), *config.extra_arguments]
        if self._address:
            # The same address again, so that clients that are still waiting find it.
            command += ["--bind", self._address]
        try:
            config.folder.mkdir(parents=True, exist_ok=True)
            config.connection_file.unlink(missing_ok=True)
            remove_old_logs(config.folder)
            with open(config.console_file, "ab") as console:
                console.truncate(0)  # appended to, so that limit_log() may cut it while it is written
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=console,
                    stderr=subprocess.STDOUT,
                    env=clean_environment(),
                    **own_group(),
                )
        except OSError as problem:
            raise UnavailableError(
                f"The server could not be started: {problem.strerror or problem}.",
                fix="Check 'Server Command' in the add-on preferences.",
            ) from None
        self.started_at = time.monotonic()

    def check(self) -> None:
        """Raise Unavailable when the server ended, or takes far too long to get ready."""
        if self._process is None:
            return
        code = self._process.poll()
        if code is not None:
            raise UnavailableError(
                f"The server stopped ({_ending(code)}): {self.last_words()}", fix=_START_FIX
            )
        if not self.is_ready and time.monotonic() - self.started_at > START_PATIENCE_S:
            raise UnavailableError(
                f"The server was not ready after {START_PATIENCE_S:.0f} s: {self.last_words()}",
                fix=_START_FIX,
            )

    def restart(self) -> bool:
        """Start the ended server again on its old address. False when it has ended too often lately."""
        now = time.monotonic()
        self._restarts = [at for at in self._restarts if now - at < RESTART_WINDOW_S]
        if len(self._restarts) >= RESTARTS_ALLOWED:
            return False
        self._restarts.append(now)
        self.start()
        return True

    def remember_address(self, address: str) -> None:
        """Keep the address the server got, for a restart on the same one."""
        self._address = address

    def stop(self) -> None:
        """Tell the server to end; returns at once: has_ended() sees it off. Safe to call twice."""
        if self.is_running and self._process is not None and self._kill_at is None:
            self._process.terminate()
            self._kill_at = time.monotonic() + self._stop_patience_s

    def has_ended(self) -> bool:
        """Whether nothing of the server is left; one that was told to end too long ago is killed here."""
        if self._process is not None and self._process.poll() is None:
            if self._kill_at is not None and time.monotonic() > self._kill_at:
                _kill_group(self._process)
            return False
        with contextlib.suppress(OSError):
            self.config.connection_file.unlink(missing_ok=True)
        return True

    def close(self) -> None:
        """For the end of Blender: stop the server and wait until it is gone, no longer than its patience."""
        self.stop()
        while not self.has_ended():
            time.sleep(CLOSE_STEP_S)

    def remove_log(self) -> None:
        """Remove what it printed, unless it ended by itself: then somebody will want to know why."""
        if self._kill_at is not None and not self.is_running:
            with contextlib.suppress(OSError):
                self.config.console_file.unlink(missing_ok=True)

    def limit_log(self) -> None:
        """Begin the log anew, with its last part, when it has grown too long. Call it now and then."""
        with contextlib.suppress(OSError):
            if self.config.console_file.stat().st_size > LOG_BYTES:
                tail = self.console().encode()
                with open(self.config.console_file, "r+b") as log:
                    log.truncate(0)
                    log.write(tail)

    def console(self) -> str:
        """The last part of what the server printed."""
        try:
            with open(self.config.console_file, "rb") as console:
                console.seek(0, os.SEEK_END)
                console.seek(max(0, console.tell() - CONSOLE_TAIL_BYTES))
                return console.read().decode("utf-8", "replace")
        except OSError:
            return ""

    def last_words(self) -> str:
        """The last line the server printed, as the end of a sentence."""
        lines = [line.strip() for line in self.console().splitlines() if line.strip()]
        return f"{lines[-1].rstrip('.')[:160]}." if lines else "it printed nothing."


_START_FIX = "Read its console, then start it again."


def _ending(code: int) -> str:
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"


def clean_environment() -> dict[str, str]:
    # Blender's own Python settings would send another Python to the wrong library.
    private = {"PYTHONHOME", "PYTHONPATH", "PYTHONEXECUTABLE", "__PYVENV_LAUNCHER__"}
    environment = {name: value for name, value in os.environ.items() if name not in private}
    environment["PYTHONUNBUFFERED"] = "1"
    environment["PYTHONIOENCODING"] = "utf-8"
    return environment


def own_group() -> dict[str, Any]:
    # A group of its own: Ctrl-C in Blender's terminal is not the server's business, and KILL reaches its workers.
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    if sys.platform == "win32":
        process.kill()
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
