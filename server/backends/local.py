# SPDX-License-Identifier: Apache-2.0
"""Worker processes on this machine, one for each device: started, watched, killed and started again.

A worker that dies, falls silent or stops making progress is replaced, and its ticket reported lost.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import zmq

from spade_core.checkpoint.sources import CheckpointVersion, ModelSource
from spade_core.contract.codec import decode, encode, unpack_table
from spade_core.contract.errors import SpadeError
from spade_core.contract.keys import KeyPair
from spade_core.contract.messages import ModelInfo, Problem, Submit
from spade_core.contract.sockets import Socket, address_of, worker_router
from spade_core.contract.submission import Buffer
from spade_core.runtime import physical_cores

from ..config import ServerConfig
from .base import (
    BackendEvent,
    PaintingEvent,
    ReadyEvent,
    RenderedEvent,
    ThumbnailsEvent,
    WorkerLost,
    WorkersCannotStart,
)
from .set_aside import REST_S, SetAside
from .wire import (
    FROM_WORKER,
    Abandon,
    Assignment,
    Loading,
    Ready,
    Render,
    Rendered,
    RenderFailed,
    RenderPainting,
    RenderProgress,
    StyleThumbnails,
)

LOAD_S = 180.0  # a worker that loads longer hangs
SILENT_S = 3.0
STALL_S = 10.0  # without progress, beyond what the picture's size explains
LOAD_TRIES = 3
_MESSAGES_A_TURN = 64
START_AGAIN_S = 1.0  # where the system has no room for a process
AGAIN_S = 0.5  # after a death while loading
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
    loading: CheckpointVersion | None = None
    rested_at: float | None = None  # when one that serves nothing is to try again


class LocalBackend:
    """A Backend; see base for what each method promises. `log` is called, with a sentence, for the console."""

    def __init__(
        self,
        config: ServerConfig,
        models: Sequence[ModelSource],
        upscalers: dict[str, str],
        log: Callable[[str], None],
    ):
        """upscalers: files by the names that clients use."""
        self._config = config
        self._models = tuple(models)
        self._upscalers = upscalers
        self._log = log
        self._context = zmq.Context()
        self._keys = KeyPair.new()
        self.socket: Socket = worker_router(self._context, self._keys)
        self._address = address_of(self.socket)
        self._workers = [_Worker(self._config.device)]
        self._looked_at: float | None = None
        self._set_aside = SetAside(log)

    @property
    def pids(self) -> tuple[int, ...]:
        return tuple(worker.process.pid for worker in self._workers if worker.process is not None)

    @property
    def released(self) -> bool:
        return all(worker.process is None and worker.start_at is None for worker in self._workers)

    def wake(self) -> None:
        for worker in self._workers:
            if worker.process is None and worker.start_at is None:
                worker.start_at = 0.0

    def idle(self) -> bool:
        return any(worker.ready and worker.ticket is None for worker in self._workers)

    def render(
        self, ticket: int, submit: Submit, buffers: Sequence[Buffer], expected_s: float, now: float
    ) -> None:
        worker = next(worker for worker in self._workers if worker.ready and worker.ticket is None)
        worker.ticket, worker.patience_s, worker.progress_at = ticket, STALL_S + 2 * expected_s, now
        self._send(worker, encode(Render(ticket, submit), buffers))

    def abandon(self, ticket: int) -> None:
        for worker in self._workers:
            if worker.ticket == ticket:
                self._send(worker, encode(Abandon(ticket)))

    def release(self) -> None:
        for worker in self._workers:
            self._end(worker)
            worker.start_at = None

    def close(self) -> None:
        self.release()
        self.socket.close()
        self._context.term()

    def events(self, now: float) -> list[BackendEvent]:
        self._forgive_own_absence(now)
        events: list[BackendEvent] = []
        for _ in range(_MESSAGES_A_TURN):
            if not self.socket.poll(0):
                break
            token, *frames = self.socket.recv_multipart(zmq.DONTWAIT)
            worker = next((worker for worker in self._workers if worker.token == token), None)
            # The token is a secret: others, and workers already given up, are not heard.
            if worker is not None:
                events += self._received(worker, frames, now)
        for worker in self._workers:
            events += self._supervise(worker, now)
        return events

    def _received(self, worker: _Worker, frames: list[bytes], now: float) -> list[BackendEvent]:
        worker.heard_at = now
        try:
            event, buffers = decode(frames, FROM_WORKER)
        except SpadeError:
            return []
        if isinstance(event, Loading):
            if event.version is None and worker.loading is not None:
                self._set_aside.survived(worker.loading)
            worker.loading = event.version
            if not worker.ready:
                worker.progress_at = now
            return []
        if isinstance(event, Ready):
            worker.ready, worker.failed_starts = True, 0
            ready = replace(
                event, models=unpack_table(ModelInfo, buffers[0]), problems=unpack_table(Problem, buffers[1])
            )
            serves_nothing = not ready.models and bool(self._set_aside)
            worker.rested_at = now + REST_S if serves_nothing else None
            return [ReadyEvent(ready, json.loads(bytes(buffers[2])))]
        if isinstance(event, StyleThumbnails):
            return [ThumbnailsEvent(event, b"".join(buffers))]
        of_job = isinstance(event, RenderProgress | RenderPainting | Rendered | RenderFailed)
        if not of_job or event.ticket != worker.ticket:
            return []
        worker.progress_at = now
        if isinstance(event, Rendered | RenderFailed):
            worker.ticket = None
        if isinstance(event, RenderPainting):
            return [PaintingEvent(event, buffers)]
        return [RenderedEvent(event, buffers) if isinstance(event, Rendered) else event]

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
        elif worker.rested_at is not None and now > worker.rested_at:
            self._set_aside.forgive()
            reason = "it serves nothing, and what was set aside is tried again"
        elif now - worker.heard_at > SILENT_S:
            reason = "it fell silent"
        elif worker.ticket is not None and now - worker.progress_at > worker.patience_s:
            reason = "it made no progress"
        return self._replace(worker, reason, now) if reason else []

    def _replace(self, worker: _Worker, reason: str, now: float) -> list[BackendEvent]:
        self._log(f"The worker process is replaced: {reason}.")
        ticket, was_ready, loading = worker.ticket, worker.ready, worker.loading
        self._end(worker)
        worker.start_at = now
        events: list[BackendEvent] = [] if ticket is None else [WorkerLost(ticket)]
        if loading is not None:
            worker.start_at = now if self._set_aside.died(loading, now) else now + AGAIN_S
        elif not was_ready:
            worker.failed_starts += 1
            worker.start_at = now + 0.2 * 2**worker.failed_starts
            if worker.failed_starts >= LOAD_TRIES:
                worker.start_at, worker.failed_starts = now + REST_S, 0
                events.append(WorkersCannotStart(reason))
        return events

    def _start(self, worker: _Worker, now: float) -> None:
        config = self._config
        worker.token = secrets.token_hex(16).encode()
        threads = config.threads or physical_cores()
        assignment = Assignment(
            self._address,
            worker.token.decode(),
            self._models,
            worker.device,
            threads,
            config.synthesizer,
            self._upscalers,
            self._keys.public,
            self._set_aside.versions(now),
        )
        paths = [str(_PACKAGE_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        # Thread pools are sized when torch is imported: too early for the worker to read its assignment.
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": str(threads)}
        try:
            worker.process = subprocess.Popen(
                [sys.executable, "-P", "-m", _WORKER],
                stdin=subprocess.PIPE,
                stdout=sys.stderr,
                env=environment,
            )
        except OSError as problem:  # no descriptors, processes or memory at this moment
            self._log(f"A worker process cannot be started now: {problem.strerror}.")
            worker.start_at = now + START_AGAIN_S
            return
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
        worker.loading = worker.rested_at = None

    def _send(self, worker: _Worker, frames: list) -> None:
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
