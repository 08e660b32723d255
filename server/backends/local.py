# SPDX-License-Identifier: Apache-2.0
"""Worker processes on this machine, one for each device: started, watched, killed and started again.

The broker asks `idle` and calls `run`, `abandon`, `release`, `wake`; `events` says what the workers did. A
worker that dies, falls silent or stops making progress is replaced, and its ticket reported lost.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import zmq

from spade_core.contract.codec import decode, encode
from spade_core.contract.errors import SpadeError
from spade_core.contract.messages import Submit

from ..config import ServerConfig, physical_cores
from ..run_folder import Place
from .events import BackendEvent, CannotStart, Lost, Picture, Serving
from .messages import FROM_WORKER, Abandon, Assignment, Painted, Ready, Run, Step, Stopped

LOAD_S = 180.0  # a worker that loads longer hangs
SILENT_S = 3.0
STALL_S = 10.0  # without progress, beyond what the picture's size explains
LOAD_TRIES = 3
_PACKAGE_ROOT = Path(__file__).resolve().parents[2]
_WORKER = f"{__name__.partition('.')[0]}.worker"  # the package is `server` in the checkout, `spade_server` installed


@dataclass
class _Worker:
    device: str
    process: subprocess.Popen[bytes] | None = None
    token: bytes = b""
    ready: bool = False
    ticket: int | None = None
    patience_s: float = STALL_S
    heard_at: float = 0.0
    progress_at: float = 0.0
    start_at: float | None = 0.0  # when to start it (again); None: not before a job needs it
    failed_starts: int = 0


class LocalBackend:
    """See the module. `socket` is for the broker's poller: readable when `events` has something to say."""

    def __init__(
        self,
        config: ServerConfig,
        models: Sequence[Place],
        context: zmq.Context,
        say: Callable[[str], None],
    ):
        self._config = config
        self._models = tuple(models)
        self._say = say
        self.socket: zmq.Socket[bytes] = context.socket(zmq.ROUTER)
        self.socket.linger = 0
        self.socket.router_mandatory = 1
        self.socket.maxmsgsize = 128 * 2**20
        self._address = f"tcp://127.0.0.1:{self.socket.bind_to_random_port('tcp://127.0.0.1')}"
        self._workers = [_Worker(self._config.device)]
        self._looked_at: float | None = None

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of the workers that run."""
        return tuple(worker.process.pid for worker in self._workers if worker.process is not None)

    @property
    def released(self) -> bool:
        """Whether the devices are given back until the next job."""
        return all(worker.process is None and worker.start_at is None for worker in self._workers)

    def wake(self) -> None:
        """Start what was released."""
        for worker in self._workers:
            if worker.process is None and worker.start_at is None:
                worker.start_at = 0.0

    def idle(self) -> bool:
        """Whether `run` may be called now."""
        return any(worker.ready and worker.ticket is None for worker in self._workers)

    def run(
        self,
        ticket: int,
        submit: Submit,
        buffers: Sequence[bytes | memoryview],
        expected_s: float,
        now: float,
    ) -> None:
        """Give a job to an idle worker; it may be silent about its progress as long as its size explains."""
        worker = next(worker for worker in self._workers if worker.ready and worker.ticket is None)
        worker.ticket, worker.patience_s, worker.progress_at = ticket, STALL_S + 2 * expected_s, now
        self._tell(worker, encode(Run(ticket, submit), buffers))

    def abandon(self, ticket: int) -> None:
        """Nobody wants this ticket any more; its worker is idle again when it has noticed."""
        for worker in self._workers:
            if worker.ticket == ticket:
                self._tell(worker, encode(Abandon(ticket)))

    def release(self) -> None:
        """End the workers, and with them all that the devices hold, until `wake`."""
        for worker in self._workers:
            self._end(worker)
            worker.start_at = None

    def close(self) -> None:
        """End the workers for good."""
        self.release()
        self.socket.close()

    def events(self, now: float) -> list[BackendEvent]:
        """What happened since the last call."""
        self._forgive_own_absence(now)
        events: list[BackendEvent] = []
        while self.socket.poll(0):
            token, *frames = self.socket.recv_multipart(zmq.DONTWAIT)
            worker = next((worker for worker in self._workers if worker.token == token), None)
            if (
                worker is not None
            ):  # the token is a secret: others, and workers already given up, are not heard
                events += self._heard(worker, frames, now)
        for worker in self._workers:
            events += self._supervise(worker, now)
        return events

    def _heard(self, worker: _Worker, frames: list[bytes], now: float) -> list[BackendEvent]:
        worker.heard_at = now
        try:
            event, buffers = decode(frames, FROM_WORKER)
        except SpadeError:
            return []
        if isinstance(event, Ready):
            worker.ready, worker.failed_starts = True, 0
            return [Serving(event, [bytes(buffer).decode() for buffer in buffers])]
        if not isinstance(event, Step | Painted | Stopped) or event.ticket != worker.ticket:
            return []
        worker.progress_at = now
        if not isinstance(event, Step):
            worker.ticket = None
        return [Picture(event, buffers) if isinstance(event, Painted) else event]

    def _supervise(self, worker: _Worker, now: float) -> list[BackendEvent]:
        if worker.process is None:
            if worker.start_at is not None and now >= worker.start_at:
                self._start(worker, now)
            return []
        reason = ""
        if worker.process.poll() is not None:
            reason = f"it ended with exit code {worker.process.returncode}"
        elif not worker.ready:
            reason = "it took too long to load" if now - worker.progress_at > LOAD_S else ""
        elif now - worker.heard_at > SILENT_S:
            reason = "it fell silent"
        elif worker.ticket is not None and now - worker.progress_at > worker.patience_s:
            reason = "it made no progress"
        return self._replace(worker, reason, now) if reason else []

    def _replace(self, worker: _Worker, reason: str, now: float) -> list[BackendEvent]:
        self._say(f"The worker process is replaced: {reason}.")
        ticket, was_ready = worker.ticket, worker.ready
        self._end(worker)
        worker.start_at = now
        events: list[BackendEvent] = [] if ticket is None else [Lost(ticket)]
        if not was_ready:
            worker.failed_starts += 1
            worker.start_at = now + 0.2 * 2**worker.failed_starts
            if worker.failed_starts >= LOAD_TRIES:
                worker.start_at, worker.failed_starts = None, 0
                events.append(CannotStart(reason))
        return events

    def _start(self, worker: _Worker, now: float) -> None:
        config = self._config
        worker.token = secrets.token_hex(16).encode()
        threads = config.threads or physical_cores()
        assignment = Assignment(
            self._address, worker.token.decode(), self._models, worker.device, threads, config.synthesizer
        )
        paths = [str(_PACKAGE_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        # Thread pools are sized when torch is imported: too early for the worker to read its assignment.
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": str(threads)}
        worker.process = subprocess.Popen(
            [sys.executable, "-m", _WORKER], stdin=subprocess.PIPE, stdout=sys.stderr, env=environment
        )
        # stdin stays open as long as the broker lives: its end tells the worker to leave.
        assert worker.process.stdin is not None
        try:
            worker.process.stdin.write(json.dumps(asdict(assignment)).encode() + b"\n")
            worker.process.stdin.flush()
        except OSError:
            pass  # it has ended already, which the next look at it finds
        worker.heard_at = worker.progress_at = now

    def _end(self, worker: _Worker) -> None:
        if worker.process is not None:
            worker.process.kill()
            worker.process.wait()
            if worker.process.stdin is not None:
                worker.process.stdin.close()
        worker.process, worker.token, worker.ready, worker.ticket = None, b"", False, None

    def _tell(self, worker: _Worker, frames: list) -> None:
        try:
            self.socket.send_multipart([worker.token, *frames], zmq.DONTWAIT, copy=False)
        except zmq.ZMQError:
            pass  # it is going down; supervision finds it

    def _forgive_own_absence(self, now: float) -> None:
        """Time in which this process slept (a suspended laptop) is no silence of the workers'."""
        absent_s = now - self._looked_at if self._looked_at is not None else 0.0
        if absent_s > 1.0:
            for worker in self._workers:
                worker.heard_at += absent_s
                worker.progress_at += absent_s
        self._looked_at = now
