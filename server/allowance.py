# SPDX-License-Identifier: Apache-2.0
"""How much of the server one connection, and one user, may take before it is told to wait, or told nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from spade_core.contract.errors import BusyError
from spade_core.contract.limits import Limits

from .keys import LOCAL
from .queue import ScheduledJob
from .user_limits import NOT_LIMITED, UserLimits

ERROR_BURST = 50  # errors that a connection is told at once
ERROR_RATE = 10.0  # and then each second; what is wrong beyond that is dropped in silence
WASTE_BURST_S = 0.3  # of the broker's processor, for what comes to nothing: refused jobs, and questions
WASTE_RATE = 0.1  # seconds more each second; beyond that a connection is not heard
HELD_BYTES, ALWAYS_HELD_BYTES = 24 * 2**20, 2 * 2**20
"""Of all jobs that wait or run; and of one client's, however much the others have."""


@dataclass
class Allowance:
    """Of one connection."""

    at: float
    errors: float = ERROR_BURST
    seconds: float = WASTE_BURST_S

    def may_ask(self, now: float) -> bool:
        """Whether its next message is read."""
        self._earn(now)
        return self.seconds > 0

    def may_be_told_of_an_error(self, now: float) -> bool:
        """Whether its next mistake is answered; takes one from its budget."""
        self._earn(now)
        if self.errors < 1:
            return False
        self.errors -= 1
        return True

    def waste(self, seconds: float) -> None:
        """It cost the broker this much of its processor, for nothing."""
        self.seconds -= seconds

    def _earn(self, now: float) -> None:
        passed, self.at = now - self.at, now
        self.errors = min(ERROR_BURST, self.errors + passed * ERROR_RATE)
        self.seconds = min(WASTE_BURST_S, self.seconds + passed * WASTE_RATE)


@dataclass(frozen=True)
class Allowances:
    """Of every user: `usual`, or what is said of one by name. each_client: jobs of one session."""

    usual: UserLimits = UserLimits()
    special: dict[str, UserLimits] = field(default_factory=dict)
    each_client: int = Limits.max_inflight

    def of(self, user: str) -> UserLimits:
        """What holds for this user."""
        usual = NOT_LIMITED if user == LOCAL else self.usual
        return self.special.get(user, usual)

    def refuse_more_jobs(
        self, user: str, client: str, peer: bytes, nbytes: int, live: Iterable[ScheduledJob]
    ) -> None:
        """Before a job of this size is looked at. Raises BusyError where its client, its user, or all have enough. What
        comes by one connection is one client's, however many sessions it says to be."""
        limits, of_client, of_user = self.of(user), 0, 0
        held_by_client = held_by_user = held_by_all = 0
        for job in live:
            size = job.admitted.nbytes
            held_by_all += size
            if job.admitted.user == user:
                of_user, held_by_user = of_user + 1, held_by_user + size
            if job.key[0] == client or job.peer == peer:
                of_client, held_by_client = of_client + 1, held_by_client + size
        if of_client >= self.each_client:
            raise BusyError(
                f"This client already has {of_client} jobs here.", "Wait for one to end.", retry_after_ms=500
            )
        if of_user >= limits.jobs or (held_by_user and held_by_user + nbytes > limits.megabytes * 2**20):
            raise BusyError(
                f"'{user}' already has {of_user} jobs here.", "Wait for one to end.", retry_after_ms=500
            )
        room = max(HELD_BYTES - held_by_all, ALWAYS_HELD_BYTES - held_by_client)
        if held_by_all and nbytes > room:
            raise BusyError(
                "The server has as much waiting as it can hold.", "Try again later.", retry_after_ms=1000
            )

    def refuse_more_connections(self, user: str, count: int) -> None:
        """`count`: those of this user, the new one included. Raises BusyError."""
        most = self.of(user).connections
        if count > most:
            raise BusyError(
                f"'{user}' is connected {most} times already.", "Close another program.", retry_after_ms=5000
            )
