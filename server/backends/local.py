# SPDX-License-Identifier: Apache-2.0
"""Worker processes on this machine, one for each device: started, watched, killed and started again.

A worker that dies, falls silent or stops making progress is replaced, and its ticket reported lost.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace

import zmq

from spade_core.checkpoint.sources import ModelSource
from spade_core.contract.codec import decode, encode, unpack_table
from spade_core.contract.errors import SpadeError
from spade_core.contract.keys import KeyPair
from spade_core.contract.messages import ModelInfo, Problem
from spade_core.contract.server_statistics import WorkerStatus
from spade_core.contract.sockets import Socket, address_of, is_readable, worker_router
from spade_core.runtime import physical_cores

from ..config import ServerConfig
from .base import (
    BackendEvent,
    PaintingEvent,
    ReadyEvent,
    RenderedEvent,
    ThumbnailsEvent,
    Try,
    WorkerCannotStart,
    WorkerLost,
)
from .set_aside import REST_S, SetAside
from .wire import (
    FROM_WORKER,
    Abandon,
    Assignment,
    Heartbeat,
    Loading,
    PaintingCost,
    Ready,
    Render,
    Rendered,
    RenderFailed,
    RenderPainting,
    RenderProgress,
    StyleThumbnails,
)
from .worker_process import WorkerProcess, new_token

LOAD_TRIES, KILLED_TRIES = 3, 10
"""Starts until a worker counts as one that cannot start: it ended by itself, or somebody killed it, who may stop."""
_MESSAGES_A_TURN = 64
START_AGAIN_S = 1.0  # where the system has no room for a process
AGAIN_S = 0.5  # after a death while loading
LONGEST_PAUSE_S = 3.0  # between two starts


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
        keys = KeyPair.new()
        self._key = keys.public
        self.socket: Socket = worker_router(self._context, keys)
        self._address = address_of(self.socket)
        devices = config.device_names
        self._workers = [WorkerProcess(index, device) for index, device in enumerate(devices)]
        self._looked_at: float | None = None
        self._set_aside = SetAside(log)

    @property
    def pids(self) -> tuple[int, ...]:
        return tuple(worker.process.pid for worker in self._workers if worker.process is not None)

    @property
    def workers(self) -> tuple[WorkerStatus, ...]:
        return tuple(worker.status for worker in self._workers if worker.process is not None)

    @property
    def released(self) -> bool:
        return all(worker.process is None and worker.start_at is None for worker in self._workers)

    def wake(self) -> None:
        for worker in self._workers:
            if worker.process is None and worker.start_at is None:
                worker.start_at = 0.0

    @property
    def worker_count(self) -> int:
        return len(self._workers)

    def idle(self) -> list[int]:
        return [worker.index for worker in self._workers if worker.idle]

    def between_parts(self) -> list[int]:
        return [worker.index for worker in self._workers if worker.takes_more]

    def render(self, worker: int, batch: Sequence[Try], expected_s: float, now: float) -> None:
        chosen = self._workers[worker]
        for number, each in enumerate(batch, start=1):
            self._send(chosen, encode(Render(each.ticket, each.submit, len(batch) - number), each.buffers))
        chosen.give({each.ticket for each in batch}, expected_s, now)

    def abandon(self, ticket: int, now: float) -> None:
        for worker in self._workers:
            if ticket in worker.tickets:
                worker.abandon(ticket, now)
                self._send(worker, encode(Abandon(ticket)))

    def release(self) -> None:
        for worker in self._workers:
            worker.end()
            worker.start_at = None

    def close(self) -> None:
        self.release()
        self.socket.close()
        self._context.term()

    def events(self, now: float) -> list[BackendEvent]:
        self._forgive_own_absence(now)
        events: list[BackendEvent] = []
        for _ in range(_MESSAGES_A_TURN):
            if not is_readable(self.socket):
                break
            token, *frames = self.socket.recv_multipart(zmq.DONTWAIT, copy=False)
            worker = next((worker for worker in self._workers if worker.token == token.bytes), None)
            # The token is a secret: others, and workers already given up, are not heard.
            if worker is not None:
                events += self._received(worker, [frame.buffer for frame in frames], now)
        for worker in self._workers:
            events += self._supervise(worker, now)
        return events

    def _received(self, worker: WorkerProcess, frames: list[memoryview], now: float) -> list[BackendEvent]:
        worker.heard_at = now
        try:
            event, buffers = decode(frames, FROM_WORKER)
        except SpadeError:
            return []
        if isinstance(event, Heartbeat):
            worker.heartbeat = event
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
                event,
                models=unpack_table(ModelInfo, buffers[0]),
                problems=unpack_table(Problem, buffers[1]),
                costs=unpack_table(PaintingCost, buffers[2]),
            )
            serves_nothing = not ready.models and bool(self._set_aside)
            worker.rested_at = now + REST_S if serves_nothing else None
            return [ReadyEvent(worker.index, ready, json.loads(bytes(buffers[3])))]
        if isinstance(event, StyleThumbnails):
            return [ThumbnailsEvent(event, b"".join(buffers))]
        of_job = isinstance(event, RenderProgress | RenderPainting | Rendered | RenderFailed)
        if not of_job or event.ticket not in worker.tickets:
            return []
        worker.progress_at = now
        if isinstance(event, Rendered | RenderFailed):
            worker.end_of(event.ticket, now)
        if isinstance(event, RenderPainting):
            return [PaintingEvent(event, buffers)]
        return [RenderedEvent(event, buffers) if isinstance(event, Rendered) else event]

    def _supervise(self, worker: WorkerProcess, now: float) -> list[BackendEvent]:
        if worker.process is None:
            if worker.start_at is not None and now >= worker.start_at:
                self._start(worker, now)
            return []
        reason = worker.trouble(now)
        if not reason and worker.rested_at is not None and now > worker.rested_at:
            self._set_aside.forgive()
            reason = "it serves nothing, and what was set aside is tried again"
        return self._replace(worker, reason, now) if reason else []

    def _replace(self, worker: WorkerProcess, reason: str, now: float) -> list[BackendEvent]:
        self._log(f"The worker process is replaced: {reason}.")
        tickets, was_ready, loading = tuple(worker.tickets), worker.ready, worker.loading
        tries = KILLED_TRIES if worker.was_killed else LOAD_TRIES
        lost = WorkerLost(
            tickets, worker.ran_out_of_memory, worker.was_killed and not worker.ran_out_of_memory
        )
        events: list[BackendEvent] = [lost] if tickets else []
        worker.end()
        worker.start_at = now
        if loading is not None:
            worker.start_at = now if self._set_aside.died(loading, now) else now + AGAIN_S
        elif not was_ready:
            worker.failed_starts += 1
            worker.start_at = now + min(0.2 * 2**worker.failed_starts, LONGEST_PAUSE_S)
            if worker.failed_starts >= tries:
                worker.start_at, worker.failed_starts = now + REST_S, 0
                events.append(WorkerCannotStart(worker.index, reason))
        return events

    def _start(self, worker: WorkerProcess, now: float) -> None:
        config = self._config
        sharing = sum(other.device == worker.device for other in self._workers)
        assignment = Assignment(
            self._address,
            new_token(),
            self._models,
            worker.device,
            config.threads or max(1, physical_cores() // sharing),
            config.synthesizer,
            self._upscalers,
            self._key,
            self._set_aside.versions(now),
            config.log_format,
        )
        try:
            worker.start(assignment, now)
        except OSError as problem:  # no descriptors, processes or memory at this moment
            self._log(f"A worker process cannot be started now: {problem.strerror}.")
            worker.start_at = now + START_AGAIN_S

    def _send(self, worker: WorkerProcess, frames: list) -> None:
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
