# SPDX-License-Identifier: Apache-2.0
"""Which job a worker gets, and when: tickets of the jobs that run, and how long each is expected to take."""

from __future__ import annotations

from .admission import AdmittedJob
from .backends.base import Backend
from .queue import JobQueue, ScheduledJob
from .served_models import ServedModels


class Dispatcher:
    """Hands waiting jobs to idle workers. A ticket is one try of one job."""

    def __init__(self, queue: JobQueue, models: ServedModels, backend: Backend):
        self._queue, self._models, self._backend = queue, models, backend
        self._jobs: dict[int, ScheduledJob] = {}
        self._last_ticket = 0

    def dispatch(self, now: float) -> None:
        """Give every idle worker something to do, as long as there is something."""
        if self._queue.waiting:
            self._backend.wake()
        while self._backend.idle() and (job := self._queue.next(now)) is not None:
            self._last_ticket += 1
            self._jobs[self._last_ticket] = job
            job.started_at, job.stage, job.done = now, "starting", 0.0
            admitted = job.admitted
            expected_s = self.expected_s(admitted)
            self._backend.render(self._last_ticket, admitted.submit, admitted.buffers, expected_s, now)

    def job(self, ticket: int) -> ScheduledJob | None:
        """The job that runs under this ticket; None where nobody wants it any more."""
        return self._jobs.get(ticket)

    def ended(self, ticket: int) -> ScheduledJob | None:
        """As `job`; the try is over, well or badly."""
        return self._jobs.pop(ticket, None)

    def abandon(self, job: ScheduledJob) -> None:
        """Nobody wants this job any more; a worker that has it is told."""
        for ticket in [ticket for ticket, other in self._jobs.items() if other is job]:
            del self._jobs[ticket]
            self._backend.abandon(ticket)

    def expected_s(self, admitted: AdmittedJob) -> float:
        """Seconds that a worker will need for it."""
        painting = self._models.ms_per_megapixel * admitted.painted_pixels
        upscaling = self._models.upscaling_ms_per_megapixel * admitted.pixels * admitted.is_upscaled
        return (painting + upscaling) / 1e9

    def wait_s(self, job: ScheduledJob) -> float:
        """Seconds until it is likely to be finished, with the jobs that come before it."""
        return sum(self.expected_s(each.admitted) for each in [*self._queue.ahead_of(job), job])
