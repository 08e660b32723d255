# SPDX-License-Identifier: Apache-2.0
"""Which job a worker gets, and when: tickets of the jobs that run, and how long each is expected to take."""

from __future__ import annotations

from .admission import AdmittedJob
from .backends.base import Backend, Try
from .queue import JobQueue, ScheduledJob
from .served_models import ServedModels

BATCH = 8
BATCH_S = 1.0
"""That a batch may be expected to take: longer ones save nothing, for a single such picture keeps a device busy."""
BATCH_PIXELS = 2**18
"""Larger pictures keep a device busy one by one, and those behind them would wait for all of a batch."""
LONG_S, SHORT_S = 4.0, 1.0
"""Of a picture that is expected to take longer than LONG_S, parts are done one by one, and short ones between them."""


class Dispatcher:
    """Hands waiting jobs to idle workers. A ticket is one try of one job."""

    def __init__(self, queue: JobQueue, models: ServedModels, backend: Backend):
        self._queue, self._models, self._backend = queue, models, backend
        self._jobs: dict[int, ScheduledJob] = {}
        self._last_ticket = 0
        self._long: dict[int, int] = {}
        """By worker: the ticket of the last picture that it began which takes long."""

    def dispatch(self, now: float) -> None:
        """Give every idle worker something to do, as long as there is something for it."""
        if self._queue.waiting:
            self._backend.wake()
        for worker in self._backend.idle():
            first = self._queue.next(now, lambda job, worker=worker: self._may_run(worker, job))
            if first is not None:
                # What waits is shared with those that will be idle soon: a batch must not leave them without work.
                share = -(-(1 + self._queue.waiting) // self._backend.worker_count)
                batch = self._batch(worker, first, min(share, BATCH), now)
                self._give(worker, batch, now)
                if not first.tries and self.expected_s(first.admitted) > LONG_S:
                    self._long[worker] = self._last_ticket
        self._give_short_ones(now)

    def _give_short_ones(self, now: float) -> None:
        """Nobody waits minutes for a small picture because somebody else wants a large one."""
        between = self._backend.between_parts()
        if any(self._long.get(worker) not in self._jobs for worker in between):
            return  # it is idle soon, and whatever waits has its turn
        for worker in between:
            short = self._queue.next(now, lambda job, worker=worker: self._is_short(worker, job))
            if short is not None:
                self._give(worker, [short], now)

    def _is_short(self, worker: int, job: ScheduledJob) -> bool:
        """One that has lost a worker may be what took it down, and with it a long one."""
        return not job.tries and self.expected_s(job.admitted) <= SHORT_S and self._may_run(worker, job)

    def _may_run(self, worker: int, job: ScheduledJob) -> bool:
        """Whether this worker can paint it; what no worker can any more, any may refuse."""
        wanted = job.admitted.submit.model, job.admitted.painted_pixels, job.admitted.upscaled_pixels
        everybody = range(self._backend.worker_count)
        return self._models.can_paint(worker, *wanted) or not any(
            self._models.can_paint(other, *wanted) for other in everybody
        )

    def _batch(self, worker: int, first: ScheduledJob, most: int, now: float) -> list[ScheduledJob]:
        """The job, and others that are painted at the same size by the same model, in turn; one that has lost a
        worker runs alone, for it may be what took it down."""
        jobs, admitted = [first], first.admitted
        alone = first.tries or admitted.painted_pixels > BATCH_PIXELS or _is_alone(admitted)
        if alone or not self._models.can_batch(worker, admitted.submit.model):
            return jobs
        most = min(most, int(BATCH_S / max(self.expected_s(admitted), 1e-3)))
        while len(jobs) < most:
            more = self._queue.next(now, lambda job: not job.tries and _alike(job.admitted, admitted))
            if more is None:
                break
            jobs.append(more)
        return jobs

    def _give(self, worker: int, jobs: list[ScheduledJob], now: float) -> None:
        batch = []
        for job in jobs:
            self._last_ticket += 1
            self._jobs[self._last_ticket] = job
            job.started_at, job.stage, job.done = now, "starting", 0.0
            batch.append(Try(self._last_ticket, job.admitted.submit, job.admitted.buffers))
        self._backend.render(worker, batch, sum(self.expected_s(job.admitted) for job in jobs), now)

    def job(self, ticket: int) -> ScheduledJob | None:
        """The job that runs under this ticket; None where nobody wants it any more."""
        return self._jobs.get(ticket)

    def ended(self, ticket: int) -> ScheduledJob | None:
        """As `job`; the try is over, well or badly."""
        return self._jobs.pop(ticket, None)

    def abandon(self, job: ScheduledJob, now: float) -> None:
        """Nobody wants this job any more; a worker that has it is told."""
        for ticket in [ticket for ticket, other in self._jobs.items() if other is job]:
            del self._jobs[ticket]
            self._backend.abandon(ticket, now)

    def expected_s(self, admitted: AdmittedJob) -> float:
        """Seconds that a worker will need for it."""
        painting = self._models.ms_per_megapixel * admitted.painted_pixels
        upscaling = self._models.upscaling_ms_per_megapixel * admitted.pixels * admitted.is_upscaled
        return (painting + upscaling) / 1e9

    def wait_s(self, job: ScheduledJob) -> float:
        """Seconds until it is likely to be finished, with the jobs that come before it."""
        return sum(self.expected_s(each.admitted) for each in [*self._queue.ahead_of(job), job])


def _alike(job: AdmittedJob, other: AdmittedJob) -> bool:
    """Whether one batch may hold both."""
    alike = job.submit.model == other.submit.model and job.painted_size == other.painted_size
    alike = alike and job.submit.output.precision == other.submit.output.precision
    return alike and not _is_alone(job) and not _is_alone(other)


def _is_alone(job: AdmittedJob) -> bool:
    """Whether it is painted in no batch: where ends meet, or parts have styles of their own."""
    return any(job.submit.output.wrap) or job.submit.places is not None
