# SPDX-License-Identifier: Apache-2.0
"""The jobs that wait and run. Pure: no sockets, no clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from spade_core.contract.errors import Busy
from spade_core.contract.messages import Limits, Submit

Key = tuple[str, str]  # (client session, job id)
_QUEUE_BYTES = 256 * 2**20


class State(Enum):
    """Where a live job is; DONE, FAILED, CANCELLED and EXPIRED jobs are no longer live."""

    QUEUED = "queued"
    RUNNING = "running"


@dataclass
class Job:
    """One picture to make, from its admission to its terminal reply. Times are monotonic seconds."""

    key: Key
    submit: Submit
    buffers: Sequence[bytes | memoryview]  # the raw label map, then the style image if any
    content: str  # hash of everything the picture depends on beside the model
    peer: bytes  # the connection to answer on; another one after the client reconnected
    queued_at: float
    deadline: float
    state: State = State.QUEUED
    started_at: float = 0.0
    tries: int = 0
    orphaned_at: float | None = None
    stage: str = ""
    fraction: float = 0.0

    @property
    def pixels(self) -> int:
        """Size of the picture wanted."""
        height, width = self.submit.output.size or self.submit.shape
        return height * width

    @property
    def nbytes(self) -> int:
        """Memory its buffers hold."""
        return sum(len(buffer) for buffer in self.buffers)


class JobQueue:
    """Live jobs by key. Higher priority first, then clients take turns, each with its jobs in order."""

    def __init__(self, limits: Limits):
        self._limits = limits
        self._jobs: dict[Key, Job] = {}
        self._interrupted: deque[Job] = deque()  # they lost their worker and go first
        self._waiting: dict[str, deque[Job]] = {}  # by client; the order of the keys is whose turn it is

    def __len__(self) -> int:
        return len(self._jobs)

    def __iter__(self):
        return iter(list(self._jobs.values()))

    def get(self, key: Key) -> Job | None:
        """The live job of this key."""
        return self._jobs.get(key)

    def count(self, state: State) -> int:
        """How many jobs are in this state."""
        return sum(job.state is state for job in self._jobs.values())

    def add(self, job: Job) -> None:
        """Take a job in. Raises Busy where its client or everybody together has too many."""
        client = job.key[0]
        own = sum(other.key[0] == client for other in self._jobs.values())
        held = sum(other.nbytes for other in self._jobs.values())
        if own >= self._limits.max_inflight:
            raise Busy(
                f"This client already has {own} jobs here.", "Wait for one to end.", retry_after_ms=500
            )
        if len(self._jobs) >= self._limits.max_queue or (held and held + job.nbytes > _QUEUE_BYTES):
            raise Busy(
                f"The server has {len(self._jobs)} jobs waiting.", "Try again later.", retry_after_ms=1000
            )
        self._jobs[job.key] = job
        self._waiting.setdefault(client, deque()).append(job)

    def next(self) -> Job | None:
        """The job whose turn it is, now RUNNING; None if none waits."""
        if self._interrupted:
            job = self._interrupted.popleft()
        else:
            heads = [max(jobs, key=lambda job: job.submit.priority) for jobs in self._waiting.values()]
            if not heads:
                return None
            job = max(heads, key=lambda head: head.submit.priority)  # the first of equals: whose turn it is
            self._forget_waiting(job)
            if job.key[0] in self._waiting:  # its client goes to the end of the line
                self._waiting[job.key[0]] = self._waiting.pop(job.key[0])
        job.state = State.RUNNING
        return job

    def requeue(self, job: Job) -> None:
        """Back to the front: it has waited already, and lost its worker through no fault of its client."""
        job.state = State.QUEUED
        self._interrupted.append(job)

    def remove(self, job: Job) -> None:
        """The job has ended, wherever it was."""
        del self._jobs[job.key]
        if job in self._interrupted:
            self._interrupted.remove(job)
        elif job.state is State.QUEUED:
            self._forget_waiting(job)

    def ahead_of(self, job: Job) -> list[Job]:
        """The jobs likely to be finished before this one: those that run and those admitted earlier."""
        return [
            other
            for other in self._jobs.values()
            if other is not job and (other.state is State.RUNNING or other.queued_at < job.queued_at)
        ]

    def _forget_waiting(self, job: Job) -> None:
        jobs = self._waiting[job.key[0]]
        jobs.remove(job)
        if not jobs:
            del self._waiting[job.key[0]]
