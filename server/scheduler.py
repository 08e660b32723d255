# SPDX-License-Identifier: Apache-2.0
"""The server between its sockets and its workers: what it is, what clients ask of it, what workers report.

Time and both sides are given: `reply` answers clients, `backend` computes. No sockets, no clock.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace

from spade_core.contract.codec import as_many_as_fit
from spade_core.contract.errors import BusyError, DrainingError, error_from
from spade_core.contract.limits import Limits
from spade_core.contract.messages import (
    PICTURE_ENCODINGS,
    ModelInfo,
    Painting,
    Pong,
    ServerStatus,
    Submit,
    Welcome,
)
from spade_core.contract.submission import Buffer
from spade_core.contract.version import PROTOCOL_MINOR, VERSION
from spade_core.upscaling.terms import upscaler_terms

from .admission import JobKey
from .allowance import Allowances
from .backends.base import (
    Backend,
    BackendEvent,
    PaintingEvent,
    ReadyEvent,
    RenderedEvent,
    ThumbnailsEvent,
    WorkerCannotStart,
    WorkerLost,
)
from .backends.wire import RenderFailed, RenderProgress
from .dispatch import Dispatcher
from .final_replies import Reply
from .jobs import Jobs
from .monitoring.job_record import JobRecord
from .queue import JobQueue, ScheduledJob
from .served_models import ServedModels

PROGRESS_S = 0.5
ABSENT_S = 1.0
_MODEL_BYTES = 7000
_UPSCALER_TERMS = 8
"""Of a header's 16 KiB."""


class Scheduler:
    """The jobs, the models, and the state of the server."""

    def __init__(
        self,
        limits: Limits,
        allowances: Allowances,
        backend: Backend,
        reply: Reply,
        record: Callable[[JobRecord], None],
        unload_after_s: float,
        now: float,
    ):
        """record: told of every job that has ended, or was refused. unload_after_s: without a job for so long, the
        devices are given back; 0 keeps them."""
        self.draining = False
        self._limits = limits
        self._backend = backend
        self._reply = reply
        self._epoch = uuid.uuid4().hex
        self._began = self._ticked_at = self._busy_at = now
        self._unload_after_s = unload_after_s
        self._models = ServedModels(backend.worker_count)
        self._queue = JobQueue(limits)
        self._dispatcher = Dispatcher(self._queue, self._models, backend)
        self._jobs = Jobs(
            limits,
            allowances,
            self._queue,
            self._dispatcher,
            self._models,
            reply,
            record,
            self._prepare_for,
        )
        self._progress_at = 0.0
        self._introduction: tuple[tuple[object, ...], Welcome] | None = None

    # --- what the server is ---

    @property
    def live(self) -> int:
        """How many jobs wait or run."""
        return len(self._queue)

    @property
    def jobs(self) -> list[ScheduledJob]:
        """Those that wait or run."""
        return list(self._queue)

    @property
    def state(self) -> str:
        """See messages.Welcome."""
        if self.draining:
            return "draining"
        is_released = self._models.state == "ready" and self._backend.released
        return "released" if is_released else self._models.state

    @property
    def models(self) -> tuple[ModelInfo, ...]:
        """What is served."""
        return self._models.infos

    def welcome(self) -> Welcome:
        """The server's introduction, with as many models as fit into its header."""
        # Asked for at every turn of the server: made again only where something is new.
        facts = self.state, self.models, self._models.problems, self._models.upscalers
        if self._introduction is None or self._introduction[0] != facts:
            self._introduction = facts, self._made_welcome()
        return self._introduction[1]

    def _made_welcome(self) -> Welcome:
        return Welcome(
            minor=PROTOCOL_MINOR,
            epoch=self._epoch,
            limits=self._limits,
            # Older clients read these; there is room for the terms beside the header.
            models=as_many_as_fit([replace(model, terms="") for model in self.models], _MODEL_BYTES),
            encodings=PICTURE_ENCODINGS,
            state=self.state,
            problems=self._models.problems,
            software=f"spade-server {VERSION}",
            upscalers=self._models.upscalers,
            upscaler_terms=tuple(map(upscaler_terms, self._models.upscalers[:_UPSCALER_TERMS])),
            preview=self._models.preview,
        )

    def status(self, now: float) -> ServerStatus:
        """How the server is doing."""
        return ServerStatus(
            state=self.state,
            epoch=self._epoch,
            queued=self._queue.waiting,
            running=self._queue.running,
            finished=self._jobs.final.finished,
            failed=self._jobs.final.failed,
            uptime_s=round(now - self._began, 3),
            pids=(os.getpid(), *self._backend.pids),
            problems=self._models.problems,
            software=f"spade-server {VERSION}",
            workers=self._backend.workers,
        )

    def pong(self) -> Pong:
        """A sign of life."""
        return Pong(self.live, self._epoch)

    def label_set_text(self, digest: str) -> str:
        """A served model's label set as TOML. Raises LabelSetMismatchError."""
        return self._models.label_set(digest).to_toml()

    def thumbnails(self, digest: str) -> tuple[tuple[int, int], bytes]:
        """As ServedModels.thumbnails."""
        return self._models.thumbnails(digest)

    def release_device(self) -> None:
        """Give the device's memory back until the next job. Raises BusyError while there are jobs."""
        if self.live:
            raise BusyError(
                "The server is painting.", "Wait for it, or cancel the jobs.", retry_after_ms=1000
            )
        if not self._models.loading:
            self._backend.release()

    # --- from clients ---

    def submit(self, peer: bytes, user: str, submit: Submit, buffers: Sequence[Buffer], now: float) -> None:
        """As Jobs.submit."""
        self._jobs.submit(peer, user, submit, buffers, now)

    def cancel(self, key: JobKey, now: float) -> None:
        """As Jobs.cancel."""
        self._jobs.cancel(key, now)

    def on_peer_gone(self, peer: bytes, now: float) -> None:
        """As Jobs.on_peer_gone."""
        self._jobs.on_peer_gone(peer, now)

    # --- from the backend, and from the clock ---

    def on_event(self, event: BackendEvent, now: float) -> None:
        """What a worker did."""
        match event:
            case ReadyEvent():
                self._models.on_ready(event)
            case ThumbnailsEvent():
                self._models.on_thumbnails(event)
            case WorkerCannotStart():
                if (error := self._models.on_cannot_start(event)) is not None:
                    self._jobs.fail_all(error, now)
            case RenderProgress():
                if (job := self._dispatcher.job(event.ticket)) is not None:
                    job.stage, job.done = event.stage, event.done
                    self._jobs.send_progress(job)
            case PaintingEvent():
                if (job := self._dispatcher.job(event.painting.ticket)) is not None:
                    self._reply(
                        job.peer, Painting(job.id, event.painting.shape), event.buffers, droppable=True
                    )
            case WorkerLost():
                alone = len(event.tickets) == 1
                for job in filter(None, map(self._dispatcher.ended, event.tickets)):
                    self._jobs.on_worker_lost(job, event, alone, now)
            case RenderedEvent():
                if (job := self._dispatcher.ended(event.rendered.ticket)) is not None:
                    self._jobs.finish(job, event, now)
            case RenderFailed():
                if (job := self._dispatcher.ended(event.ticket)) is not None:
                    self._jobs.fail(job, error_from(event.code, event.message, event.fix), now)

    def tick(self, now: float) -> None:
        """What time brings: deadlines, clients that never came back, news for those who wait, and work."""
        absent_s = now - self._ticked_at
        if absent_s > ABSENT_S:
            self._jobs.forgive_absence(absent_s)
        self._ticked_at = now
        self._jobs.end_overdue(now)
        self._dispatcher.dispatch(now)
        self._unload_when_idle(now)
        if now >= self._progress_at:
            self._progress_at = now + PROGRESS_S
            self._jobs.keep_informed(now)

    def close(self, now: float) -> None:
        """The server leaves: what could not be finished fails."""
        error = DrainingError("The server had to leave before the picture was finished.", "Submit it again.")
        self._jobs.fail_all(error, now)

    def _unload_when_idle(self, now: float) -> None:
        if self.live or self.state != "ready":
            self._busy_at = now
        elif self._unload_after_s and now - self._busy_at > self._unload_after_s:
            self._backend.release()

    def _prepare_for(self, submit: Submit) -> None:
        if self.draining:
            raise DrainingError(
                "The server is leaving and takes no more jobs.", "Start it again.", retry_after_ms=1000
            )
        cannot_start = self._models.start_error is not None
        if self._models.has_problem(submit.model) and not cannot_start and self._backend.released:
            # Nobody looked at its folder since the device was given back: it may have a model now.
            self._models.loading = True
            self._backend.wake()
