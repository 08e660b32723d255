# SPDX-License-Identifier: Apache-2.0
"""The jobs that wait and run. Pure: no sockets, no clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from spade_core.contract.errors import BusyError
from spade_core.contract.limits import Limits

from .admission import AdmittedJob, JobKey

_QUEUE_BYTES = 256 * 2**20
AGING_S = 5.0
"""A job that has waited so long counts as one priority higher: a client that is always quicker cannot starve it. Among
users, and among the clients of this machine's own, only the time counts in which nothing was painted for them: who has
many jobs here is not the one who starves."""


@dataclass(eq=False)
class ScheduledJob:
    """One picture to make, from its admission to its terminal reply. Times are monotonic seconds."""

    key: JobKey
    admitted: AdmittedJob
    peer: bytes  # the connection to answer on; another one after the client reconnected
    queued_at: float
    deadline: float
    running: bool = False
    started_at: float = 0.0
    tries: int = 0
    kills: int = 0
    """Workers that somebody killed under it."""
    orphaned_at: float | None = None
    stage: str = ""
    done: float = 0.0

    @property
    def id(self) -> str:
        """What its client calls it."""
        return self.admitted.submit.id

    @property
    def party(self) -> str:
        """Who takes turns with others: a user, or a client of who runs the server."""
        return self.key[0].partition("/")[0]

    @property
    def model(self) -> str:
        """The name of the model that paints it."""
        return self.admitted.submit.model

    def rank(self, now: float, served_at: float = 0.0) -> int:
        """Higher goes first: its priority, and how long it has waited, at most since its client was served."""
        waited_s = now - max(self.queued_at, served_at)
        return self.admitted.submit.priority + max(0, int(waited_s / AGING_S))


class JobQueue:
    """Live jobs by key. Higher rank first, then users take turns, of each their clients, and of each its jobs in
    order."""

    def __init__(self, limits: Limits):
        self._limits = limits
        self._jobs: dict[JobKey, ScheduledJob] = {}
        self._interrupted: deque[ScheduledJob] = deque()  # they lost their worker and go first
        self._waiting: dict[
            str, deque[ScheduledJob]
        ] = {}  # by client; the order of the keys is whose turn it is
        self._last_turn: dict[str, int] = {}  # by user
        self._served_at: dict[str, float] = {}  # by party that waits: when its last job ran
        self._served: set[str] = set()  # parties of whom a job has ended since the last turn

    def __len__(self) -> int:
        return len(self._jobs)

    def __iter__(self) -> Iterator[ScheduledJob]:
        return iter(list(self._jobs.values()))

    def get(self, key: JobKey) -> ScheduledJob | None:
        """The live job of this key."""
        return self._jobs.get(key)

    @property
    def running(self) -> int:
        """How many jobs a worker has."""
        return sum(job.running for job in self._jobs.values())

    @property
    def waiting(self) -> int:
        """How many jobs wait for one."""
        return len(self._jobs) - self.running

    def add(self, job: ScheduledJob) -> None:
        """Take a job in. Raises BusyError where its client or everybody together has too many."""
        client = job.key[0]
        own = sum(other.key[0] == client for other in self._jobs.values())
        total = sum(other.admitted.nbytes for other in self._jobs.values())
        if own >= self._limits.max_inflight:
            raise BusyError(
                f"This client already has {own} jobs here.", "Wait for one to end.", retry_after_ms=500
            )
        if len(self._jobs) >= self._limits.max_queue or (
            total and total + job.admitted.nbytes > _QUEUE_BYTES
        ):
            raise BusyError(
                f"The server has {len(self._jobs)} jobs waiting.", "Try again later.", retry_after_ms=1000
            )
        self._jobs[job.key] = job
        self._waiting.setdefault(client, deque()).append(job)

    def next(
        self, now: float, suits: Callable[[ScheduledJob], bool] = lambda job: True
    ) -> ScheduledJob | None:
        """The job whose turn it is among those that suit, now running; None if none waits."""
        job = next(filter(suits, self._interrupted), None)
        if job is not None:
            self._interrupted.remove(job)
        else:
            self._note_served(now)
            suiting = ([job for job in jobs if suits(job)] for jobs in self._waiting.values())
            heads = [max(jobs, key=lambda job: job.rank(now)) for jobs in suiting if jobs]
            if not heads:
                return None
            # The first of equals: whose turn it is.
            job = max(heads, key=lambda head: self._turn_of(head, now))
            self._last_turn[job.admitted.user] = 1 + max(self._last_turn.values(), default=0)
            self._forget_waiting(job)
            if job.key[0] in self._waiting:  # its client goes to the end of the line
                self._waiting[job.key[0]] = self._waiting.pop(job.key[0])
        job.running = True
        return job

    def _turn_of(self, head: ScheduledJob, now: float) -> tuple[int, int]:
        """Higher goes first: among clients."""
        rank = head.rank(now, self._served_at.get(head.party, 0.0))
        return rank, -self._last_turn.get(head.admitted.user, 0)

    def _note_served(self, now: float) -> None:
        self._served |= {job.party for job in self._jobs.values() if job.running}
        waiting = {jobs[0].party for jobs in self._waiting.values()}
        self._served_at = {party: at for party, at in self._served_at.items() if party in waiting}
        self._served_at |= dict.fromkeys(self._served & waiting, now)
        self._served.clear()

    def requeue(self, job: ScheduledJob) -> None:
        """Back to the front: it has waited already, and lost its worker through no fault of its client."""
        job.running = False
        self._interrupted.append(job)

    def remove(self, job: ScheduledJob) -> None:
        """The job has ended, wherever it was."""
        del self._jobs[job.key]
        if job in self._interrupted:
            self._interrupted.remove(job)
        elif job.running:
            self._served.add(job.party)
        else:
            self._forget_waiting(job)

    def ahead_of(self, job: ScheduledJob) -> list[ScheduledJob]:
        """The jobs likely to be finished before this one: those that run and those admitted earlier."""
        return [
            other
            for other in self._jobs.values()
            if other is not job and (other.running or other.queued_at < job.queued_at)
        ]

    def _forget_waiting(self, job: ScheduledJob) -> None:
        jobs = self._waiting[job.key[0]]
        jobs.remove(job)
        if not jobs:
            del self._waiting[job.key[0]]
