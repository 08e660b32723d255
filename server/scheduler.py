# SPDX-License-Identifier: Apache-2.0
"""The life of every job: admitted, queued, run, ended by exactly one terminal reply. No sockets, no clock.

Time and both sides are given: `reply` answers clients, `backend` computes.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Sequence
from dataclasses import replace

from spade_core.contract.codec import as_many_as_fit
from spade_core.contract.errors import (
    BusyError,
    DeadlineError,
    DrainingError,
    PoisonError,
    SpadeError,
    error_from,
)
from spade_core.contract.limits import Limits
from spade_core.contract.messages import (
    PICTURE_ENCODINGS,
    Accepted,
    Cancelled,
    Failed,
    Finished,
    ModelInfo,
    Painting,
    Pong,
    Progress,
    ServerStatus,
    Submit,
    Timings,
    Welcome,
)
from spade_core.contract.submission import Buffer
from spade_core.contract.version import PROTOCOL_MINOR, VERSION

from .admission import AdmittedJob, JobKey, admit, announced_bytes, job_key
from .allowance import Allowances
from .backends.base import (
    Backend,
    BackendEvent,
    PaintingEvent,
    ReadyEvent,
    RenderedEvent,
    ThumbnailsEvent,
    WorkerLost,
    WorkersCannotStart,
)
from .backends.wire import RenderFailed, RenderProgress
from .final_replies import FinalReplies, FinalReply, Reply
from .queue import JobQueue, ScheduledJob
from .reply_cache import CachedReply, ReplyCache
from .served_models import ServedModels

TRIES = 3
DEADLINE_S = 30.0
ORPHAN_S = 5.0  # how long a job outlives its connection, for its client to come back
PROGRESS_S = 0.5
ABSENT_S = 1.0
_MODEL_BYTES = 7000
"""Of a header's 16 KiB."""


class Scheduler:
    """Every job that is live, and for a while the replies to those that were; and the state of the server."""

    def __init__(
        self,
        limits: Limits,
        backend: Backend,
        reply: Reply,
        now: float,
        allowances: Allowances = Allowances(),  # noqa: B008
    ):
        self.draining = False
        self._limits, self._allowances = limits, allowances
        self._backend = backend
        self._reply = reply
        self._final = FinalReplies(reply)
        self._epoch = uuid.uuid4().hex
        self._began = self._ticked_at = now
        self._models = ServedModels()
        self._queue = JobQueue(limits)
        self._tickets: dict[int, ScheduledJob] = {}
        self._last_ticket = 0
        self._pictures = ReplyCache()  # by the model's digest and what else they depend on
        self._progress_at = 0.0

    # --- what the server is ---

    @property
    def live(self) -> int:
        """How many jobs wait or run."""
        return len(self._queue)

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
        return Welcome(
            minor=PROTOCOL_MINOR,
            epoch=self._epoch,
            limits=self._limits,
            models=as_many_as_fit(self.models, _MODEL_BYTES),
            encodings=PICTURE_ENCODINGS,
            state=self.state,
            problems=self._models.problems,
            software=f"spade-server {VERSION}",
            upscalers=self._models.upscalers,
        )

    def status(self, now: float) -> ServerStatus:
        """How the server is doing."""
        return ServerStatus(
            state=self.state,
            epoch=self._epoch,
            queued=self._queue.waiting,
            running=self._queue.running,
            finished=self._final.finished,
            failed=self._final.failed,
            uptime_s=round(now - self._began, 3),
            pids=(os.getpid(), *self._backend.pids),
            problems=self._models.problems,
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
        """A job, perhaps one that is known already. Raises SpadeError where it is refused; of that nothing is kept."""
        key = job_key(submit, user)
        job = self._queue.get(key)
        if job is not None:
            job.peer, job.orphaned_at = peer, None
            self._send_progress(job)
        elif not self._final.repeat(key, peer, now):
            self._admit(key, peer, user, submit, buffers, now)

    def cancel(self, key: JobKey, now: float) -> None:
        """Stop a job, wherever it is; one that has ended stays ended."""
        job = self._queue.get(key)
        if job is not None:
            self._end(job, Cancelled(job.id), now)

    def on_peer_gone(self, peer: bytes, now: float) -> None:
        """A connection is closed: its jobs wait a little for their client to come back."""
        for job in self._queue:
            if job.peer == peer and job.orphaned_at is None:
                job.orphaned_at = now

    # --- from the backend, and from the clock ---

    def on_event(self, event: BackendEvent, now: float) -> None:
        """What a worker did."""
        match event:
            case ReadyEvent():
                self._models.on_ready(event)
            case ThumbnailsEvent():
                self._models.on_thumbnails(event)
            case WorkersCannotStart():
                self._fail_all(self._models.on_cannot_start(event.reason), now)
            case RenderProgress():
                job = self._tickets.get(event.ticket)
                if job is not None:
                    job.stage, job.done = event.stage, event.done
                    self._send_progress(job)
            case PaintingEvent():
                job = self._tickets.get(event.painting.ticket)
                if job is not None:
                    self._reply(
                        job.peer, Painting(job.id, event.painting.shape), event.buffers, droppable=True
                    )
            case WorkerLost():
                self._try_again(self._tickets.pop(event.ticket, None), now)
            case RenderedEvent():
                job = self._tickets.pop(event.rendered.ticket, None)
                if job is not None:
                    self._finish(job, event, now)
            case RenderFailed():
                job = self._tickets.pop(event.ticket, None)
                if job is not None:
                    self._fail(job, error_from(event.code, event.message, event.fix), now)

    def tick(self, now: float) -> None:
        """What time brings: deadlines, clients that never came back, news for those who wait, and work."""
        absent_s = now - self._ticked_at
        if absent_s > ABSENT_S:  # this process slept: nobody could come back meanwhile
            for job in self._queue:
                job.deadline += absent_s
                job.orphaned_at = None if job.orphaned_at is None else job.orphaned_at + absent_s
        self._ticked_at = now
        for job in self._queue:
            if now > job.deadline:
                error = DeadlineError(
                    "The picture was not finished in its time.", "Allow more time, or a smaller size."
                )
                self._fail(job, error, now)
            elif job.orphaned_at is not None and now - job.orphaned_at > ORPHAN_S:
                self._end(job, Cancelled(job.id), now)
        self._dispatch(now)
        if now >= self._progress_at:
            self._progress_at = now + PROGRESS_S
            self._pictures.forget_old(now)
            self._final.forget_old(now)
            for job in self._queue:
                self._send_progress(job)

    def close(self, now: float) -> None:
        """The server leaves: what could not be finished fails."""
        error = DrainingError("The server had to leave before the picture was finished.", "Submit it again.")
        self._fail_all(error, now)

    # --- within ---

    def _admit(
        self, key: JobKey, peer: bytes, user: str, submit: Submit, buffers: Sequence[Buffer], now: float
    ) -> None:
        self._prepare_for(submit)
        others = [job for job in self._queue if job.key != (key[0], submit.replaces)]
        self._allowances.refuse_more_jobs(user, key[0], announced_bytes(submit, buffers), others)
        admitted = admit(submit, buffers, self._models, self._limits, user)
        if submit.replaces is not None:
            self.cancel((key[0], submit.replaces), now)
        if self._answer_from_cache(key, peer, admitted, now):
            return
        job = ScheduledJob(key, admitted, peer, queued_at=now, deadline=now)
        self._queue.add(job)
        usual_s = DEADLINE_S + self._wait_s(job) + 3 * self._expected_s(admitted)
        job.deadline = now + (usual_s if submit.deadline_ms is None else submit.deadline_ms / 1000)
        self._send_progress(job)
        self._dispatch(now)

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

    def _answer_from_cache(self, key: JobKey, peer: bytes, admitted: AdmittedJob, now: float) -> bool:
        found = self._pictures.get((admitted.model_digest, admitted.content), now)
        if found is None or admitted.submit.no_cache or not isinstance(found.message, Finished):
            return False
        message = replace(found.message, id=admitted.submit.id, cached=True, timings=Timings())
        self._final.send(key, peer, message, found.buffers, now)
        return True

    def _dispatch(self, now: float) -> None:
        if self._queue.waiting:
            self._backend.wake()
        while self._backend.idle() and (job := self._queue.next(now)) is not None:
            self._last_ticket += 1
            self._tickets[self._last_ticket] = job
            job.started_at, job.stage, job.done = now, "starting", 0.0
            admitted = job.admitted
            expected_s = self._expected_s(admitted)
            self._backend.render(self._last_ticket, admitted.submit, admitted.buffers, expected_s, now)

    def _finish(self, job: ScheduledJob, event: RenderedEvent, now: float) -> None:
        rendered = event.rendered
        admitted = job.admitted
        self._models.measure(rendered.run_ms, rendered.upscaling_ms, admitted.painted_pixels, admitted.pixels)
        queue_ms = (job.started_at - job.queued_at) * 1e3
        message = Finished(
            id=job.id,
            shape=rendered.shape,
            model_digest=rendered.model_digest,
            encoding=rendered.encoding,
            digest=rendered.digest,
            upscaler=rendered.upscaler,
            timings=Timings(round(queue_ms, 2), round(rendered.run_ms, 2), round(rendered.encode_ms, 2)),
        )
        # By the model that painted, which may be newer than the one the job was admitted for.
        content = (rendered.model_digest, job.admitted.content)
        self._pictures.put(content, CachedReply(message, event.buffers), now)
        self._end(job, message, now, event.buffers)

    def _try_again(self, job: ScheduledJob | None, now: float) -> None:
        if job is None:
            return
        job.tries += 1
        if job.tries < TRIES:
            self._queue.requeue(job)
            self._send_progress(job)
            return
        error = PoisonError(f"The job took its worker down {TRIES} times.", "Try another size or model.")
        self._fail(job, error, now)

    def _fail_all(self, error: SpadeError, now: float) -> None:
        for job in self._queue:
            self._fail(job, error, now)

    def _fail(self, job: ScheduledJob, error: SpadeError, now: float) -> None:
        self._end(job, Failed.of(job.id, error), now)

    def _end(
        self,
        job: ScheduledJob,
        message: FinalReply,
        now: float,
        buffers: Sequence[Buffer] = (),
    ) -> None:
        """The one place where a live job ends."""
        self._queue.remove(job)
        for ticket in [ticket for ticket, other in self._tickets.items() if other is job]:
            del self._tickets[ticket]
            self._backend.abandon(ticket)
        self._final.send(job.key, job.peer, message, buffers, now)

    def _send_progress(self, job: ScheduledJob) -> None:
        """How the job is doing. Sent twice a second: after a silence its client would send the job again."""
        if job.running:
            message = Progress(job.id, job.stage, round(job.done, 3))
        else:
            message = Accepted(job.id, "queued", len(self._queue.ahead_of(job)))
        self._reply(job.peer, message, droppable=True)

    def _expected_s(self, admitted: AdmittedJob) -> float:
        painting = self._models.ms_per_megapixel * admitted.painted_pixels
        upscaling = self._models.upscaling_ms_per_megapixel * admitted.pixels * admitted.is_upscaled
        return (painting + upscaling) / 1e9

    def _wait_s(self, job: ScheduledJob) -> float:
        return sum(self._expected_s(each.admitted) for each in [*self._queue.ahead_of(job), job])
