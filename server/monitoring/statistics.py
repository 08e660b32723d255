# SPDX-License-Identifier: Apache-2.0
"""How jobs have gone lately: percentiles of how long they waited and were painted, by model and by user."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from spade_core.contract.server_statistics import JobStatistics

from ..queue import ScheduledJob
from .job_record import CANCELLED, FINISHED, JobRecord

WINDOW_S = 900.0
MOST_RECORDS = 5000
"""Older ones are forgotten also within the window: a flood must take neither memory nor the broker's time."""
MOST_ROWS = 200
PERCENTILES = 50, 95, 99


@dataclass
class _Group:
    """Jobs that are counted together."""

    records: list[JobRecord] = field(default_factory=list)
    running: int = 0
    waiting: int = 0

    def row(self, of: str, name: str) -> JobStatistics:
        outcomes = [record.outcome for record in self.records]
        painted = [record for record in self.records if record.outcome == FINISHED and not record.cached]
        return JobStatistics(
            of,
            name,
            self.waiting,
            self.running,
            finished=outcomes.count(FINISHED),
            failed=sum(outcome not in (FINISHED, CANCELLED) for outcome in outcomes),
            wait_ms=percentiles([record.wait_ms for record in painted]),
            paint_ms=percentiles([record.paint_ms for record in painted]),
        )


class RecentJobs:
    """The jobs that ended within the window."""

    def __init__(self) -> None:
        self._records: deque[tuple[float, JobRecord]] = deque(maxlen=MOST_RECORDS)

    def add(self, record: JobRecord, now: float) -> None:
        """A job has ended."""
        self._records.append((now, record))

    def rows(self, live: Iterable[ScheduledJob], now: float) -> list[JobStatistics]:
        """All jobs, then each model and each user, the busiest first."""
        while self._records and now - self._records[0][0] > WINDOW_S:
            self._records.popleft()
        groups: defaultdict[tuple[str, str], _Group] = defaultdict(_Group)
        total = groups["all", ""]
        for _, record in self._records:
            for group in (total, groups["model", record.model], groups["user", record.user]):
                group.records.append(record)
        for job in live:
            for group in (total, groups["model", job.model], groups["user", job.admitted.user]):
                group.running += job.running
                group.waiting += not job.running
        rows = [group.row(*of_name) for of_name, group in groups.items()]
        return sorted(rows, key=_rank)[:MOST_ROWS]


def percentiles(values: list[float]) -> tuple[float, float, float]:
    """By the nearest rank, so that each is a value that was measured; zeros where there is none."""
    ordered = sorted(values) or [0.0]
    p50, p95, p99 = (ordered[-(-share * len(ordered) // 100) - 1] for share in PERCENTILES)
    return p50, p95, p99


def _rank(row: JobStatistics) -> tuple[int, int, str]:
    busy = row.waiting + row.running + row.finished + row.failed
    return ("all", "model", "user").index(row.of), -busy, row.name
