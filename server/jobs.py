# SPDX-License-Identifier: Apache-2.0
"""The life of every job: admitted, queued, run, ended by exactly one terminal reply. No sockets, no clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from spade_core.contract.errors import DeadlineError, OutOfMemoryError, PoisonError, SpadeError
from spade_core.contract.limits import Limits
from spade_core.contract.messages import Accepted, Cancelled, Failed, Finished, Progress, Submit, Timings
from spade_core.contract.submission import Buffer

from .admission import AdmittedJob, JobKey, admit, announced_bytes, job_key
from .allowance import Allowances
from .backends.base import RenderedEvent, WorkerLost
from .dispatch import Dispatcher
from .final_replies import FinalReplies, FinalReply, Reply
from .monitoring.job_record import JobRecord
from .queue import JobQueue, ScheduledJob
from .reply_cache import CachedReply, ReplyCache
from .served_models import ServedModels

TRIES, MOST_KILLS = 3, 10
"""Workers that a job may take down; and those under it that somebody else may kill, before that counts as well."""
DEADLINE_S = 30.0
ORPHAN_S = 5.0  # how long a job outlives its connection, for its client to come back


class Jobs:
    """Every job that is live, and for a while the replies to those that were."""

    def __init__(
        self,
        limits: Limits,
        allowances: Allowances,
        queue: JobQueue,
        dispatcher: Dispatcher,
        models: ServedModels,
        reply: Reply,
        record: Callable[[JobRecord], None],
        prepare: Callable[[Submit], None],
    ):
        """record: told of every job that has ended, or was refused. prepare: called before a job is admitted; raises
        the SpadeError that refuses it."""
        self.final = FinalReplies(reply)
        self._limits, self._allowances = limits, allowances
        self._queue, self._dispatcher, self._models = queue, dispatcher, models
        self._reply, self._record, self._prepare = reply, record, prepare
        self._pictures = ReplyCache()  # by the model's digest and what else they depend on

    def submit(self, peer: bytes, user: str, submit: Submit, buffers: Sequence[Buffer], now: float) -> None:
        """A job, perhaps one that is known already. Raises SpadeError where it is refused; of that nothing is kept."""
        key = job_key(submit, user)
        job = self._queue.get(key)
        if job is not None:
            job.peer, job.orphaned_at = peer, None
            self.send_progress(job)
        elif not self.final.repeat(key, peer, now):
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

    def forgive_absence(self, absent_s: float) -> None:
        """This process slept so long, in which nobody could come back and nothing be finished."""
        for job in self._queue:
            job.deadline += absent_s
            job.orphaned_at = None if job.orphaned_at is None else job.orphaned_at + absent_s

    def end_overdue(self, now: float) -> None:
        """Those over their deadline fail; those whose client never came back are cancelled."""
        for job in self._queue:
            if now > job.deadline:
                error = DeadlineError(
                    "The picture was not finished in its time.", "Allow more time, or a smaller size."
                )
                self.fail(job, error, now)
            elif job.orphaned_at is not None and now - job.orphaned_at > ORPHAN_S:
                self._end(job, Cancelled(job.id), now)

    def finish(self, job: ScheduledJob, event: RenderedEvent, now: float) -> None:
        """Its picture is there."""
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

    def on_worker_lost(self, job: ScheduledJob, lost: WorkerLost, alone: bool, now: float) -> None:
        """It lost its worker: it is tried again, unless it is known, or likely, to be what took the worker down.

        alone: whether the worker painted nothing else.
        """
        if lost.killed and job.kills < MOST_KILLS:  # no job kills its worker from outside
            job.kills += 1
        else:
            job.tries += 1
        admitted = job.admitted
        is_heavy = self._models.is_heavy(
            admitted.submit.model, admitted.painted_pixels, admitted.upscaled_pixels
        )
        if (lost.out_of_memory and alone) or (job.tries >= TRIES and is_heavy):
            error = OutOfMemoryError(
                "The device has too little memory for this picture: its worker was ended.",
                "Choose a smaller size, turn upscaling on, or end other programs.",
            )
            self.fail(job, error, now)
        elif job.tries >= TRIES:
            error = PoisonError(f"The job took its worker down {TRIES} times.", "Try another size or model.")
            self.fail(job, error, now)
        else:
            self._queue.requeue(job)
            self.send_progress(job)

    def fail(self, job: ScheduledJob, error: SpadeError, now: float) -> None:
        """It ends with this error."""
        self._end(job, Failed.of(job.id, error), now)

    def fail_all(self, error: SpadeError, now: float) -> None:
        """None can be finished."""
        for job in self._queue:
            self.fail(job, error, now)

    def send_progress(self, job: ScheduledJob) -> None:
        """How the job is doing. Sent twice a second: after a silence its client would send the job again."""
        if job.running:
            message = Progress(job.id, job.stage, round(job.done, 3))
        else:
            message = Accepted(job.id, "queued", len(self._queue.ahead_of(job)))
        self._reply(job.peer, message, droppable=True)

    def keep_informed(self, now: float) -> None:
        """Tell every client how its jobs are doing, and forget what nobody asked for in time."""
        self._pictures.forget_old(now)
        self.final.forget_old(now)
        for job in self._queue:
            self.send_progress(job)

    def _admit(
        self, key: JobKey, peer: bytes, user: str, submit: Submit, buffers: Sequence[Buffer], now: float
    ) -> None:
        try:
            admitted = self._admitted(key, peer, user, submit, buffers)
            if submit.replaces is not None:
                self.cancel((key[0], submit.replaces), now)
            if self._answer_from_cache(key, peer, admitted, now):
                return
            job = ScheduledJob(key, admitted, peer, queued_at=now, deadline=now)
            self._queue.add(job)
        except SpadeError as error:
            self._record(JobRecord.of(submit, user, Failed.of(submit.id, error), refused=True))
            raise
        usual_s = DEADLINE_S + self._dispatcher.wait_s(job) + 3 * self._dispatcher.expected_s(admitted)
        job.deadline = now + (usual_s if submit.deadline_ms is None else submit.deadline_ms / 1000)
        accepted = Accepted(job.id, "queued", len(self._queue.ahead_of(job)))
        self._dispatcher.dispatch(now)  # before anything is said: it may begin
        self._reply(peer, accepted, droppable=True)

    def _admitted(
        self, key: JobKey, peer: bytes, user: str, submit: Submit, buffers: Sequence[Buffer]
    ) -> AdmittedJob:
        self._prepare(submit)
        others = [job for job in self._queue if job.key != (key[0], submit.replaces)]
        self._allowances.refuse_more_jobs(user, key[0], peer, announced_bytes(submit, buffers), others)
        return admit(submit, buffers, self._models, self._limits, user)

    def _answer_from_cache(self, key: JobKey, peer: bytes, admitted: AdmittedJob, now: float) -> bool:
        found = self._pictures.get((admitted.model_digest, admitted.content), now)
        if found is None or admitted.submit.no_cache or not isinstance(found.message, Finished):
            return False
        message = replace(found.message, id=admitted.submit.id, cached=True, timings=Timings())
        self.final.send(key, peer, message, found.buffers, now)
        self._record(JobRecord.of(admitted.submit, admitted.user, message, found.buffers))
        return True

    def _end(
        self, job: ScheduledJob, message: FinalReply, now: float, buffers: Sequence[Buffer] = ()
    ) -> None:
        """The one place where a live job ends."""
        self._queue.remove(job)
        self._dispatcher.abandon(job, now)
        self.final.send(job.key, job.peer, message, buffers, now)
        waited_s = (job.started_at or now) - job.queued_at
        self._record(JobRecord.of(job.admitted.submit, job.admitted.user, message, buffers, waited_s))
