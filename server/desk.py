# SPDX-License-Identifier: Apache-2.0
"""The life of every job: admitted, queued, run, ended by exactly one terminal reply. No sockets, no clock.

Time and both sides are given: `reply(peer, message, buffers, droppable)` answers clients, `backend` computes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

from spade_core.contract.errors import Deadline, Draining, Internal, Poison, SpadeError, UnknownModel, Warming
from spade_core.contract.labels import parse_label_set
from spade_core.contract.messages import (
    Accepted,
    Cancelled,
    Failed,
    Finished,
    Limits,
    Progress,
    Submit,
    Timings,
)

from .admission import ServedModel, check_buffers, check_identity, check_request, content_of, served
from .backends.events import BackendEvent, CannotStart, Lost, Picture, Serving
from .backends.messages import Step, Stopped
from .cache import Kept, ReplyCache
from .queue import Job, JobQueue, Key, State

TRIES = 3
DEADLINE_S = 30.0
ORPHAN_S = 5.0  # how long a job outlives its connection, for its client to come back
TELL_S = 0.5
Reply = Callable[..., None]


class Backend(Protocol):
    """What computes: see backends/local."""

    @property
    def released(self) -> bool: ...
    def idle(self) -> bool: ...
    def wake(self) -> None: ...
    def abandon(self, ticket: int) -> None: ...
    def run(
        self, ticket: int, submit: Submit, buffers: Sequence[Any], expected_s: float, now: float
    ) -> None: ...


class Desk:
    """Every job that is live, and for a while the replies to those that were."""

    def __init__(self, limits: Limits, backend: Backend, reply: Reply):
        self.limits = limits
        self.queue = JobQueue(limits)
        self.models: dict[str, ServedModel] = {}
        self.problems: dict[str, SpadeError] = {}
        self.loaded = False
        self.draining = False
        self.finished = self.failed = 0
        self._backend = backend
        self._reply = reply
        self._tickets: dict[int, Job] = {}
        self._last_ticket = 0
        self._pictures = ReplyCache()  # by the model's digest and what else they depend on
        self._endings = ReplyCache()  # by job, for clients that lost theirs
        self._ms_per_megapixel = 0.0
        self._tell_at = 0.0

    # --- from clients ---

    def submit(self, peer: bytes, submit: Submit, buffers: Sequence[memoryview], now: float) -> None:
        """A job, perhaps one that is known already. Raises BadHeader where it cannot even be named."""
        check_identity(submit)
        key = (submit.client, submit.id)
        job, ended = self.queue.get(key), self._endings.get(key, now)
        if job is not None:
            job.peer, job.orphaned_at = peer, None
            self._tell(job)
        elif ended is None:
            self._admit(key, peer, submit, buffers, now)
        elif ended.peer != peer:  # on the connection that got it, it is not said twice
            ended.peer = peer
            self._reply(peer, ended.message, ended.buffers)

    def cancel(self, key: Key, now: float) -> None:
        """Stop a job, wherever it is; one that has ended stays ended."""
        job = self.queue.get(key)
        if job is not None:
            self._end(job, Cancelled(job.submit.id), now)

    def peer_gone(self, peer: bytes, now: float) -> None:
        """A connection is closed: its jobs wait a little for their client to come back."""
        for job in self.queue:
            if job.peer == peer and job.orphaned_at is None:
                job.orphaned_at = now

    # --- from the backend ---

    def happened(self, event: BackendEvent, now: float) -> None:
        """What a worker did."""
        if isinstance(event, Serving):
            self._now_serving(event)
        elif isinstance(event, CannotStart):
            self.loaded = True
            trouble = Internal(f"The worker cannot start: {event.reason}.", "See the server's console.")
            self.problems[""] = trouble
            for job in self.queue:
                self._end(job, Failed.of(job.submit.id, trouble), now)
        elif isinstance(event, Step):
            job = self._tickets.get(event.ticket)
            if job is not None:
                job.stage, job.fraction = event.stage, event.fraction
                self._tell(job)
        elif isinstance(event, Lost):
            self._lost(self._tickets.pop(event.ticket, None), now)
        else:
            ticket = event.painted.ticket if isinstance(event, Picture) else event.ticket
            job = self._tickets.pop(ticket, None)
            if job is not None:
                self._ended_by_worker(job, event, now)

    def tick(self, now: float) -> None:
        """What time brings: deadlines, clients that never came back, news for those who wait, and work."""
        for job in self.queue:
            if now > job.deadline:
                error = Deadline(
                    "The picture was not finished in its time.", "Allow more time, or a smaller size."
                )
                self._end(job, Failed.of(job.submit.id, error), now)
            elif job.orphaned_at is not None and now - job.orphaned_at > ORPHAN_S:
                self._end(job, Cancelled(job.submit.id), now)
        if now >= self._tell_at:
            self._tell_at = now + TELL_S
            self._pictures.forget_old(now)
            self._endings.forget_old(now)
            for job in self.queue:
                self._tell(job)
        self._dispatch(now)

    def give_up(self, now: float) -> None:
        """The server leaves before these could be finished."""
        for job in self.queue:
            error = Draining("The server had to leave before the picture was finished.", "Submit it again.")
            self._end(job, Failed.of(job.submit.id, error), now)

    # --- within ---

    def _admit(
        self, key: Key, peer: bytes, submit: Submit, buffers: Sequence[memoryview], now: float
    ) -> None:
        try:
            self._refuse_for_now(submit)
            model = served(self.models, submit.model)
            check_request(submit, model, self.limits)
            checked = check_buffers(submit, buffers, model, self.limits)
            if submit.replaces is not None:
                self.cancel((submit.client, submit.replaces), now)
            content = content_of(submit, checked)
            job = Job(key, submit, checked, content, peer, queued_at=now, deadline=now)
            known = None if submit.no_cache else self._pictures.get((model.info.digest, content), now)
            if known is not None:
                message = replace(known.message, id=submit.id, cached=True, timings=Timings())
                self._keep_and_reply(key, peer, message, known.buffers, now)
                return
            self.queue.add(job)
        except SpadeError as error:
            refusal = Failed.of(submit.id, error)
            if error.retryable:
                self._reply(peer, refusal)
            else:
                self._keep_and_reply(key, peer, refusal, (), now)
            return
        wanted_s = DEADLINE_S + self._wait_s(job) + 3 * self._expected_s(job)
        job.deadline = now + (submit.deadline_ms / 1000 if submit.deadline_ms is not None else wanted_s)
        self._tell(job)
        self._dispatch(now)

    def _refuse_for_now(self, submit: Submit) -> None:
        if self.draining:
            raise Draining(
                "The server is leaving and takes no more jobs.", "Start it again.", retry_after_ms=1000
            )
        if submit.model in self.problems and "" not in self.problems and self._backend.released:
            # Nobody looked at its folder since the device was given back: it may have a model now.
            self.loaded = False
            self._backend.wake()
        if not self.loaded:
            raise Warming("The server is loading its model.", "It takes a few seconds.", retry_after_ms=300)
        trouble = self.problems.get(submit.model) or self.problems.get("")
        if trouble is not None and submit.model not in self.models:
            raise UnknownModel(trouble.message, trouble.fix)
        if "" in self.problems:
            raise self.problems[""]

    def _now_serving(self, event: Serving) -> None:
        label_sets = map(parse_label_set, event.label_sets)
        self.models = {
            info.name: ServedModel(info, label_set)
            for info, label_set in zip(event.ready.models, label_sets, strict=True)
        }
        self.problems = {
            entry.model: UnknownModel(entry.message, entry.fix) for entry in event.ready.problems
        }
        self.loaded = True
        self._ms_per_megapixel = event.ready.ms_per_megapixel

    def _dispatch(self, now: float) -> None:
        if self.queue.count(State.QUEUED):
            self._backend.wake()
        while self._backend.idle() and (job := self.queue.next()) is not None:
            self._last_ticket += 1
            self._tickets[self._last_ticket] = job
            job.started_at, job.stage, job.fraction = now, "starting", 0.0
            self._backend.run(self._last_ticket, job.submit, job.buffers, self._expected_s(job), now)

    def _ended_by_worker(self, job: Job, event: Picture | Stopped | Any, now: float) -> None:
        if isinstance(event, Stopped):
            error = SpadeError(event.message, event.fix)
            failed = replace(Failed.of(job.submit.id, error), code=event.code)
            self._end(job, failed, now)
            return
        painted = event.painted
        measured = painted.run_ms / (job.pixels / 1e6)
        self._ms_per_megapixel += 0.3 * (measured - self._ms_per_megapixel)
        queue_ms = (job.started_at - job.queued_at) * 1e3
        message = Finished(
            id=job.submit.id,
            shape=painted.shape,
            model_digest=painted.model_digest,
            encoding=painted.encoding,
            digest=painted.digest,
            timings=Timings(round(queue_ms, 2), round(painted.run_ms, 2), round(painted.encode_ms, 2)),
        )
        # By the model that painted, which may be newer than the one the job was admitted for.
        self._pictures.put((painted.model_digest, job.content), Kept(message, event.buffers), now)
        self._end(job, message, now, event.buffers)

    def _lost(self, job: Job | None, now: float) -> None:
        if job is None:
            return
        job.tries += 1
        if job.tries < TRIES:
            self.queue.requeue(job)
            self._tell(job)
            return
        error = Poison(f"The job took its worker down {TRIES} times.", "Try another size or model.")
        self._end(job, Failed.of(job.submit.id, error), now)

    def _end(self, job: Job, message: Any, now: float, buffers: Sequence[memoryview] = ()) -> None:
        """The one place where a live job ends."""
        self.queue.remove(job)
        for ticket in [ticket for ticket, other in self._tickets.items() if other is job]:
            del self._tickets[ticket]
            self._backend.abandon(ticket)
        self._keep_and_reply(job.key, job.peer, message, buffers, now)

    def _keep_and_reply(
        self, key: Key, peer: bytes, message: Any, buffers: Sequence[bytes | memoryview], now: float
    ) -> None:
        self.finished += isinstance(message, Finished)
        self.failed += isinstance(message, Failed)
        self._endings.put(key, Kept(message, buffers, peer), now)
        self._reply(peer, message, buffers)

    def _tell(self, job: Job) -> None:
        """How the job is doing. Said twice a second: silence would make its client send it again."""
        if job.state is State.RUNNING:
            message = Progress(job.submit.id, job.stage, round(job.fraction, 3))
        else:
            ahead = len(self.queue.ahead_of(job))
            message = Accepted(job.submit.id, job.state.value, ahead, round(self._wait_s(job) * 1000))
        self._reply(job.peer, message, droppable=True)

    def _expected_s(self, job: Job) -> float:
        return self._ms_per_megapixel * job.pixels / 1e9

    def _wait_s(self, job: Job) -> float:
        return sum(map(self._expected_s, [*self.queue.ahead_of(job), job]))
