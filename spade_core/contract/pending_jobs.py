# SPDX-License-Identifier: Apache-2.0
"""Which jobs a client still waits for, and when to send what again. No sockets and no clock: time is given.

A server says twice a second how each job is. Silence of a second: the unanswered jobs are sent again under their ids
(the server knows them and just answers). Silence of two: over a new connection, backing off. Beyond one's patience:
they are Unavailable. Three seconds without a word of one job, while it talks: that one is asked for again.

While a large picture is on its way nothing else can come over the same connection, so then silence says nothing, unless
the connection ends.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from .errors import SpadeError

REPEAT_S = 1.0
RECONNECT_S = 2.0
FORGOTTEN_S = 3.0
SLOWEST_BYTES_S = 128 * 1024
"""What a net must carry in a second: a picture that takes longer counts as lost."""
_BACK_OFF_S = (0.05, 1.0)
LONGEST_RETRY_S = 60.0  # whatever a server says
_RETRY_S = 0.25  # where a refusal does not say when to come back


@dataclass
class PendingJob:
    """A job without a terminal event. size: (height, width) of the picture that it asks for."""

    frames: list[Any]
    give_up_at: float
    size: tuple[int, int]
    heard_at: float
    resend_at: float | None = None  # set while a refusal is waited out
    patience_s: float = FORGOTTEN_S  # doubled each time, for it may just be long on its way


@dataclass
class Actions:
    """What has to be done now."""

    reconnect: bool = False
    unavailable: bool = False
    ping: bool = False
    resend: list[list[Any]] = field(default_factory=list)


class PendingJobs:
    """Live jobs by id. `first_patience_s` is for a server never heard, `patience_s` for one that was."""

    def __init__(self, first_patience_s: float, patience_s: float, now: float):
        self.jobs: dict[str, PendingJob] = {}
        self._first_patience_s, self._patience_s = first_patience_s, patience_s
        self._ever_heard = False
        self._heard_at = self._listened_at = self._pinged_at = self._repeat_at = now
        self._back_off_s = _BACK_OFF_S[0]
        self._arrives_by: float | None = None

    def add(
        self, identity: str, frames: list[Any], now: float, patience_s: float, size: tuple[int, int]
    ) -> None:
        """A job was sent."""
        if not self.jobs:
            self._heard_at = max(self._heard_at, now - RECONNECT_S / 2)  # an idle server need not have spoken
        self.jobs[identity] = PendingJob(frames, now + patience_s, size, heard_at=now)

    def heard(self, now: float) -> None:
        """The server said something."""
        self._ever_heard = True
        self._heard_at = now
        self._back_off_s = _BACK_OFF_S[0]
        if self._arrives_by is not None:
            self._arrives_by = None
            for job in self.jobs.values():
                job.heard_at = now  # its words waited behind the picture

    def heard_of(self, identity: str, now: float) -> None:
        """The server said something about a job."""
        if identity in self.jobs:
            self.jobs[identity].heard_at = now

    def arriving(self, identity: str, now: float) -> None:
        """The server sends the picture of a job now."""
        if identity in self.jobs:
            height, width = self.jobs[identity].size
            self._arrives_by = now + 3 * height * width / SLOWEST_BYTES_S

    def disconnected(self) -> None:
        """The connection has ended, and what was on its way with it."""
        self._arrives_by = None

    def silent_s(self, now: float) -> float:
        """How long the server has been silent while this side listened, and nothing large was arriving."""
        if self._arrives_by is not None and now < self._arrives_by:
            return 0.0
        return now - self._heard_at

    def listening(self, now: float) -> None:
        """This side listens now; time in which the host was busy elsewhere is no silence of the server's."""
        away_s = now - self._listened_at
        if away_s > REPEAT_S / 2:
            self._heard_at = min(now, self._heard_at + away_s)
            for job in self.jobs.values():
                job.heard_at = min(now, job.heard_at + away_s)
        self._listened_at = now

    def delay(self, identity: str, error: SpadeError, now: float) -> bool:
        """The server refused a job for now. False if its time is over, and the refusal is final."""
        job = self.jobs[identity]
        asked_s = min(max(error.retry_after_ms / 1000, 0.0), LONGEST_RETRY_S)
        job.resend_at = now + (asked_s or _RETRY_S)
        return job.resend_at < job.give_up_at

    def due(self, now: float) -> Actions:
        """What to do at this moment; the caller does it."""
        actions = Actions()
        silent_s = self.silent_s(now)
        if silent_s > REPEAT_S and now - self._pinged_at > REPEAT_S:
            self._pinged_at = now
            actions.ping = True
        for job in self.jobs.values():
            if job.resend_at is not None and now >= job.resend_at:
                job.resend_at, job.heard_at = None, now
                actions.resend.append(job.frames)
            elif self._is_forgotten(job, silent_s, now):
                job.heard_at, job.patience_s = now, 2 * job.patience_s
                actions.resend.append(job.frames)
        if not self.jobs:
            return actions
        if silent_s > (self._patience_s if self._ever_heard else self._first_patience_s):
            actions.unavailable = True
        elif silent_s > REPEAT_S and now >= self._repeat_at:
            actions.reconnect = silent_s > RECONNECT_S
            actions.resend = self.unanswered()
            pause_s = self._back_off_s * random.uniform(0.8, 1.2) if actions.reconnect else REPEAT_S
            self._repeat_at = now + max(pause_s, _BACK_OFF_S[0])
            if actions.reconnect:
                self._back_off_s = min(_BACK_OFF_S[1], self._back_off_s * 2)
        return actions

    def _is_forgotten(self, job: PendingJob, silent_s: float, now: float) -> bool:
        talks = silent_s < REPEAT_S and self._arrives_by is None
        return job.resend_at is None and talks and now - job.heard_at > job.patience_s

    def unanswered(self) -> list[list[Any]]:
        """The frames of every job that the server should be working on."""
        return [job.frames for job in self.jobs.values() if job.resend_at is None]
