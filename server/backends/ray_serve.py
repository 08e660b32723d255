# SPDX-License-Identifier: Apache-2.0
"""Workers in a Ray cluster, behind the same broker: replicas of a Ray Serve deployment, on as many hosts as there are.

Ray decides which replica paints what. A "worker" of the scheduler is therefore a place for one batch, and there are as
many places as replicas. A replica that dies is replaced by Ray; its batch is reported lost, and painted again.
"""

from __future__ import annotations

import json
import queue
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import zmq

from spade_core.checkpoint.sources import ModelSource
from spade_core.contract.codec import decode, encode, unpack_table
from spade_core.contract.errors import BusyError, CancelledError, SpadeError
from spade_core.contract.messages import ModelInfo, Problem
from spade_core.contract.server_statistics import WorkerStatus
from spade_core.contract.sockets import Socket

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
from .ray_cluster import Deployment, RayCluster, require_ray
from .wire import (
    FROM_WORKER,
    Heartbeat,
    PaintingCost,
    Ready,
    Render,
    Rendered,
    RenderFailed,
    RenderPainting,
    RenderProgress,
    StyleThumbnails,
)


@dataclass
class _Place:
    """Room for one batch in the cluster."""

    index: int
    tickets: set[int] = field(default_factory=set)
    wanted: set[int] = field(default_factory=set)
    heartbeat: Heartbeat = Heartbeat()


class RayServeBackend:
    """A Backend; see base for what each method promises. `log` is called, with a sentence, for the console."""

    def __init__(
        self,
        config: ServerConfig,
        models: Sequence[ModelSource],
        upscalers: dict[str, str],
        log: Callable[[str], None],
    ):
        """upscalers: files by the names that clients use. Raises UnavailableError where Ray is not installed."""
        require_ray()
        self._context = zmq.Context()
        self.socket: Socket = self._context.socket(zmq.PULL)
        self.socket.bind("inproc://cluster")
        self._happened: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._places = [_Place(index) for index in range(config.replicas)]
        self._ready, self._released = False, False
        deployment = Deployment(
            [(source.name, source.path, source.is_run) for source in models],
            config.device_names[0], config.threads, config.synthesizer, upscalers, config.replicas,
        )  # fmt: skip
        self._cluster = RayCluster(config.ray or "", deployment, self._context, self._happened.put, log)
        self._cluster.start()

    @property
    def pids(self) -> tuple[int, ...]:
        return ()  # Ray's own

    @property
    def workers(self) -> tuple[WorkerStatus, ...]:
        if self._released:
            return ()
        return tuple(map(self._status, self._places))

    def _status(self, place: _Place) -> WorkerStatus:
        state = "painting" if place.tickets else "idle" if self._ready else "loading"
        beat = place.heartbeat
        return WorkerStatus(0, beat.device, state, beat.memory_bytes, beat.device_bytes)

    @property
    def released(self) -> bool:
        return self._released

    @property
    def worker_count(self) -> int:
        return len(self._places)

    def idle(self) -> list[int]:
        return [place.index for place in self._places if self._ready and not place.tickets]

    def between_parts(self) -> list[int]:
        return []  # a replica paints one batch at a time

    def render(self, worker: int, batch: Sequence[Try], expected_s: float, now: float) -> None:
        place, orders = self._places[worker], []
        place.tickets = {each.ticket for each in batch}
        place.wanted = set(place.tickets)
        for number, each in enumerate(batch, start=1):
            frames = encode(Render(each.ticket, each.submit, len(batch) - number), each.buffers)
            orders.append([bytes(frame) for frame in frames])
        self._cluster.paint(worker, frozenset(place.tickets), orders, expected_s)

    def abandon(self, ticket: int, now: float) -> None:
        for place in self._places:
            place.wanted.discard(ticket)
            if ticket in place.tickets and not place.wanted:
                self._cluster.abandon(place.index)

    def release(self) -> None:
        self._released, self._ready = True, False
        self._cluster.release()

    def wake(self) -> None:
        if self._released:
            self._released = False
            self._cluster.deploy()

    def close(self) -> None:
        self._cluster.end()
        self.socket.close()
        self._context.term()

    def events(self, now: float) -> list[BackendEvent]:
        while self.socket.poll(0):
            self.socket.recv()
        events: list[BackendEvent] = []
        while True:
            try:
                happened = self._happened.get_nowait()
            except queue.Empty:
                return events
            events += happened(self)

    # --- what the cluster's thread reports, carried out in the broker's ---

    def on_about(self, about: list[list[bytes]]) -> list[BackendEvent]:
        """Replicas paint with these models from now on."""
        events: list[BackendEvent] = []
        for frames in about:
            message, buffers = decode(frames, FROM_WORKER)
            if isinstance(message, StyleThumbnails):
                events.append(ThumbnailsEvent(message, b"".join(buffers)))
            if isinstance(message, Ready):
                ready = replace(
                    message,
                    models=unpack_table(ModelInfo, buffers[0]),
                    problems=unpack_table(Problem, buffers[1]),
                    costs=unpack_table(PaintingCost, buffers[2]),
                )
                label_sets = json.loads(bytes(buffers[3]))
                events += [ReadyEvent(place.index, ready, label_sets) for place in self._places]
        self._ready = not self._released
        return events

    def on_memory(self, frames: list[bytes]) -> list[BackendEvent]:
        """Of one of the replicas."""
        message, _ = decode(frames, FROM_WORKER)
        if isinstance(message, Heartbeat):
            for place in self._places:
                place.heartbeat = message
        return []

    def on_frames(self, worker: int, frames: list[bytes]) -> list[BackendEvent]:
        """Of a batch that is painted in this place."""
        try:
            event, buffers = decode(frames, FROM_WORKER)
        except SpadeError:
            return []
        place = self._places[worker]
        of_job = isinstance(event, RenderProgress | RenderPainting | Rendered | RenderFailed)
        if not of_job or event.ticket not in place.tickets:
            return []
        if isinstance(event, Rendered | RenderFailed):
            place.tickets.discard(event.ticket)
            place.wanted.discard(event.ticket)
        if isinstance(event, RenderPainting):
            return [PaintingEvent(event, buffers)]
        return [RenderedEvent(event, buffers) if isinstance(event, Rendered) else event]

    def on_end(self, worker: int, tickets: frozenset[int], why: str) -> list[BackendEvent]:
        """The cluster has no more to say of this batch. why: "", "cancelled", "busy" or "lost"."""
        place = self._places[worker]
        left = tuple(place.tickets & tickets)
        place.tickets -= tickets
        place.wanted -= tickets
        if not left:
            return []
        if why == "cancelled":
            error = CancelledError("The job was cancelled.")
        elif why == "busy":
            error = BusyError("All replicas are painting.", "Submit it again.", retry_after_ms=1000)
        else:
            return [WorkerLost(left)]
        return [RenderFailed(ticket, error.code, error.message, error.fix) for ticket in left]

    def on_cannot_start(self, reason: str) -> list[BackendEvent]:
        """The deployment does not come up."""
        return [WorkerCannotStart(place.index, reason) for place in self._places]
