# SPDX-License-Identifier: Apache-2.0
"""One worker process as the broker holds it: started with its assignment, asked how it is, ended."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

from spade_core.checkpoint.sources import CheckpointVersion
from spade_core.contract.server_statistics import WorkerStatus
from spade_core.runtime import SLEEPING_THREADS

from .wire import Assignment, Heartbeat

LOAD_S = 180.0  # a worker that loads longer hangs
SILENT_S = 3.0
STALL_S = 10.0  # without progress, beyond what the pictures' size explains
STOP_S = 0.8
"""How long a worker may go on with what nobody wants any more; then its device is freed by ending it."""
MOST_BETWEEN = 4
"""Pictures that a worker may have waiting for the end of a part of the large one that it paints."""
_PACKAGE_ROOT = Path(__file__).resolve().parents[2]
_WORKER = (
    f"{__name__.split('.')[0]}.worker"  # the package is `server` in the checkout, `spade_server` installed
)


@dataclass
class WorkerProcess:
    """The worker of one device, and what is known of it. Times are monotonic seconds."""

    index: int
    device: str
    process: subprocess.Popen[bytes] | None = None
    token: bytes = b""
    """Its name on the wire, and a secret."""
    ready: bool = False
    tickets: set[int] = field(default_factory=set)
    """What it paints; a batch of several."""
    wanted: set[int] = field(default_factory=set)
    """Those of them that somebody still waits for."""
    unwanted_at: float | None = None
    """When the last of them was abandoned."""
    patience_s: float = STALL_S
    heard_at: float = 0.0
    progress_at: float = 0.0
    start_at: float | None = 0.0
    """When to start it (again); None: not before a job needs it."""
    failed_starts: int = 0
    loading: CheckpointVersion | None = None
    heartbeat: Heartbeat = Heartbeat()
    rested_at: float | None = None
    """When one that serves nothing is to try again."""
    kills_before: int = 0
    """Processes that the system had ended for lack of memory when this one was given its work."""

    @property
    def idle(self) -> bool:
        """Whether it may be given something to paint."""
        return self.ready and not self.tickets

    @property
    def takes_more(self) -> bool:
        """Whether it may be given something to paint between the parts of the picture that it paints."""
        return self.ready and bool(self.wanted) and len(self.tickets) <= MOST_BETWEEN

    def give(self, tickets: set[int], expected_s: float, now: float) -> None:
        """It paints these from now on, beside what it paints."""
        self.patience_s = (self.patience_s if self.tickets else STALL_S) + 2 * expected_s
        self.tickets, self.wanted, self.unwanted_at = self.tickets | tickets, self.wanted | tickets, None
        self.progress_at, self.kills_before = now, kills_for_memory()

    def end_of(self, ticket: int, now: float) -> None:
        """It is done with this ticket."""
        self.tickets.discard(ticket)
        self.wanted.discard(ticket)
        if self.tickets and not self.wanted and self.unwanted_at is None:
            self.unwanted_at = now

    def abandon(self, ticket: int, now: float) -> None:
        """Nobody wants this ticket any more."""
        self.wanted.discard(ticket)
        if not self.wanted:
            self.unwanted_at = now

    def trouble(self, now: float) -> str:
        """Why it has to be replaced; empty where all is well."""
        assert self.process is not None
        if self.process.poll() is not None:
            return f"it ended with exit code {self.process.returncode}"
        if not self.ready:
            return "it took too long to load" if now - self.progress_at > LOAD_S else ""
        if self.tickets and self.unwanted_at is not None and now - self.unwanted_at > STOP_S:
            return "it did not stop when its job was cancelled"
        if now - self.heard_at > SILENT_S:
            return "it fell silent"
        return "it made no progress" if self.tickets and now - self.progress_at > self.patience_s else ""

    @property
    def status(self) -> WorkerStatus:
        """What it does, of a process that runs."""
        assert self.process is not None
        state = "loading" if not self.ready else "painting" if self.tickets else "idle"
        said = self.heartbeat
        device = said.device or self.device.replace("auto", "")
        return WorkerStatus(self.process.pid, device, state, said.memory_bytes, said.device_bytes)

    @property
    def was_killed(self) -> bool:
        """Whether somebody outside ended it, for whatever reason."""
        return self.process is not None and self.process.poll() in (-signal.SIGKILL, -signal.SIGTERM)

    @property
    def ran_out_of_memory(self) -> bool:
        """Whether the system ended it because memory ran out."""
        died = self.process is not None and self.process.poll() == -9
        return died and kills_for_memory() > self.kills_before

    def start(self, assignment: Assignment, now: float) -> None:
        """Start it; whatever becomes of it, `trouble` tells."""
        self.token = assignment.token.encode()
        paths = [str(_PACKAGE_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        # Thread pools are sized when torch is imported: too early for the worker to read its assignment.
        environment = (
            SLEEPING_THREADS
            | os.environ
            | {
                "PYTHONPATH": os.pathsep.join(paths),
                "OMP_NUM_THREADS": str(assignment.threads),
            }
        )
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", _WORKER], stdin=subprocess.PIPE, stdout=sys.stderr, env=environment
        )
        # stdin stays open as long as the broker lives: its end tells the worker to leave.
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(asdict(assignment)).encode() + b"\n")
            self.process.stdin.flush()
        except OSError:
            pass  # it has ended already, which the next look at it finds
        self.heard_at = self.progress_at = now

    def end(self) -> None:
        """Kill it; what it was doing is lost."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            if self.process.stdin is not None:
                self.process.stdin.close()
        self.process, self.token, self.ready = None, b"", False
        self.tickets, self.wanted, self.unwanted_at = set(), set(), None
        self.loading = self.rested_at = None
        self.heartbeat = Heartbeat()


def new_token() -> str:
    """A name that nobody guesses."""
    return secrets.token_hex(16)


def kills_for_memory() -> int:
    """How many processes this system has ended since it runs because memory ran out; 0 where it does not say."""
    try:
        counts = Path("/proc/vmstat").read_bytes()
    except OSError:
        return 0
    number = counts.partition(b"\noom_kill ")[2].partition(b"\n")[0]
    return int(number) if number else 0
