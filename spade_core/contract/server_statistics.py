# SPDX-License-Identifier: Apache-2.0
"""What a server tells of its work to whom runs it: its workers, and how long jobs take (since minor version 6)."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class WorkerStatus:
    """A process that paints. state: "loading" | "idle" | "painting"; device: as torch calls it, "" until it is known.

    memory_bytes: of the device, by all programs, or of the machine by this process where the device is the CPU;
    device_bytes: all that there is. Both 0 until they are known.
    """

    pid: int
    device: str
    state: str
    memory_bytes: int = 0
    device_bytes: int = 0


@dataclass(frozen=True)
class GetStatistics:
    """Control socket only: how have jobs gone lately? Answered by Statistics."""


@dataclass(frozen=True)
class JobStatistics:
    """Jobs of all ("all"), of one model ("model") or of one user ("user"), and which: `name`.

    waiting, running: now. finished, failed: in the window, answers from the cache counted. wait_ms, paint_ms: their
    50th, 95th and 99th percentile in the window, of what was painted; zeros where nothing was.
    """

    of: str
    name: str
    waiting: int = 0
    running: int = 0
    finished: int = 0
    failed: int = 0
    wait_ms: tuple[float, float, float] = (0.0, 0.0, 0.0)
    paint_ms: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Statistics:
    """Of the jobs that ended in the last `window_s` seconds. Buffer: the rows as a table, that of all jobs first."""

    window_s: float
    rows: tuple[JobStatistics, ...] = field(default=(), metadata={"wire": False}, repr=False)
