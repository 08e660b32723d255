# SPDX-License-Identifier: Apache-2.0
"""Who is told how the server is doing: its log, `spade-server top`, Prometheus and the service manager."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from spade_core.contract.messages import ServerStatus
from spade_core.contract.server_statistics import JobStatistics

from ..queue import ScheduledJob
from .job_record import JobRecord
from .log import ServerLog
from .service_manager import ServiceManager
from .statistics import RecentJobs

if TYPE_CHECKING:
    from .metrics import Metrics

_LOOK_S = 0.5


class Monitor:
    """Belongs to the broker's thread, and never holds it up."""

    def __init__(self, log: ServerLog, metrics: Metrics | None, service: ServiceManager):
        """metrics: None where nobody asked for them."""
        self._log, self._metrics, self._service = log, metrics, service
        self._recent = RecentJobs()
        self._look_at, self._state = 0.0, ""

    def job_ended(self, record: JobRecord) -> None:
        """Also one that was refused; of those that will come again only a number is kept."""
        if self._metrics is not None:
            self._metrics.job_ended(record)
        if not record.put_off:
            self._log.job(record)
            self._recent.add(record, time.monotonic())

    def rows(self, live: Sequence[ScheduledJob]) -> list[JobStatistics]:
        """As Statistics.rows; `live` are the jobs that wait or run."""
        return self._recent.rows(live, time.monotonic())

    def turn(self, state: str, status: Callable[[float], ServerStatus], now: float) -> None:
        """Called at each turn of the broker; `status` is asked for now and then, and where `state` is another."""
        if self._metrics is not None:
            self._metrics.turned_at = now
        if now < self._look_at and state == self._state:
            return
        self._look_at, self._state = now + _LOOK_S, state
        looked = status(now)
        self._service.tell(looked, now)
        if self._metrics is not None:
            self._metrics.look(looked)

    def close(self) -> None:
        """The server has left."""
        if self._metrics is not None:
            self._metrics.close()
