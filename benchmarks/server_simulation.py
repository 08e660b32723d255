# SPDX-License-Identifier: Apache-2.0
"""How many artists a server of several devices can serve: `python -m benchmarks.server_simulation`.

The server's own scheduler (admission, turns, batches) runs against devices that only take time, on a clock that jumps
from event to event. `Studio` says what is assumed; how long a picture takes is to be measured (benchmarks.server_load,
or `spade_job_paint_seconds` of /metrics).
"""

from __future__ import annotations

import heapq
import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import tyro

from server.allowance import Allowances
from server.backends.base import ReadyEvent, RenderedEvent, Try
from server.backends.wire import PaintingCost, Ready, Rendered
from server.scheduler import Scheduler
from spade_core.contract.errors import BusyError
from spade_core.contract.labels import load_label_set
from spade_core.contract.limits import Limits
from spade_core.contract.messages import Finished, ModelInfo, Output, Submit

LANDSCAPE = load_label_set("landscape")


@dataclass(frozen=True)
class Studio:
    """What is assumed. Pictures are independent of each other; devices are alike, and none fails."""

    artists: tuple[int, ...] = (25, 50, 100, 150, 200)
    devices: tuple[int, ...] = (1, 2, 4, 8)
    every_s: float = 30.0
    """An artist asks for a picture so often on average, at random moments, whether or not the last one has come."""
    sides: tuple[int, ...] = (512, 1024, 2048)
    shares: tuple[float, ...] = (0.6, 0.3, 0.1)
    """Of the pictures, by side; their label maps are as large."""
    ms_a_picture: float = 240.0
    """Of one device, for the small painting. As measured for docs/upscaling.md on two cores with avx512_bf16."""
    ms_a_megapixel: float = 780.0
    """Of one device, for the upscaling."""
    batches: bool = False
    """Whether several pictures at once are worth it; then seven more cost half of their time."""
    minutes: float = 30.0
    seed: int = 0
    plot: Path | None = None
    """An SVG file of the waits."""


@dataclass
class Devices:
    """A Backend whose workers take time and paint nothing."""

    studio: Studio
    number: int
    busy: set[int] = field(default_factory=set)
    begun: list[tuple[float, int, int, list[Try]]] = field(default_factory=list)
    """Not yet on the clock: end, sequence, worker, batch."""
    sequence: Any = field(default_factory=count)
    released = False
    pids = workers = ()
    socket = None

    @property
    def worker_count(self) -> int:
        return self.number

    def idle(self) -> list[int]:
        return [worker for worker in range(self.number) if worker not in self.busy]

    def between_parts(self) -> list[int]:
        return []  # no picture here is that large

    def render(self, worker: int, batch: Sequence[Try], expected_s: float, now: float) -> None:
        times = [self._seconds(each.submit) for each in batch]
        takes_s = times[0] + sum(times[1:]) / (2 if self.studio.batches else 1)
        self.busy.add(worker)
        self.begun.append((now + takes_s, next(self.sequence), worker, list(batch)))

    def _seconds(self, submit: Submit) -> float:
        height, width = submit.output.size or submit.shape
        return (self.studio.ms_a_picture + self.studio.ms_a_megapixel * height * width / 1e6) / 1e3

    def abandon(self, ticket: int, now: float) -> None: ...

    def release(self) -> None: ...

    def wake(self) -> None: ...

    def close(self) -> None: ...

    def events(self, now: float) -> list:
        return []


def simulate(studio: Studio, artists: int, number: int) -> tuple[list[float], int]:
    """Seconds that each picture took, and how often an artist was told to come back."""
    chance, devices = random.Random(studio.seed), Devices(studio, number)
    maps = {side: bytes(side * side) for side in studio.sides}
    asked_at: dict[str, float] = {}
    waits: list[float] = []
    now = 0.0

    def reply(peer: bytes, message: Any, buffers: Sequence = (), *, droppable: bool = False) -> bool:
        if isinstance(message, Finished):
            waits.append(now - asked_at.pop(message.id))
        return True

    scheduler = Scheduler(Limits(), Allowances(), devices, reply, lambda record: None, 0.0, now)  # type: ignore[arg-type]
    info = ModelInfo("landscape", "0" * 64, LANDSCAPE.name, LANDSCAPE.digest, 256, 4)
    ready = Ready(studio.ms_a_megapixel, models=(info,), costs=(PaintingCost(batches=studio.batches),))
    for worker in range(number):
        scheduler.on_event(ReadyEvent(worker, ready, [LANDSCAPE.to_toml()]), now)

    clients = [uuid.UUID(int=chance.getrandbits(128)).hex for _ in range(artists)]
    clock: list = [
        (chance.expovariate(1 / studio.every_s), next(devices.sequence), who, None) for who in range(artists)
    ]
    heapq.heapify(clock)
    busy = 0
    while clock:
        now, _, who, batch = heapq.heappop(clock)
        if batch is not None:
            devices.busy.discard(who)
            for each in batch:
                scheduler.on_event(RenderedEvent(_rendered(each), []), now)
        elif now < 60 * studio.minutes:
            submit = _submit(studio, clients[who], chance)
            asked_at[submit.id] = now
            try:
                scheduler.submit(clients[who].encode(), "local", submit, [maps[submit.shape[0]]], now)
            except BusyError:
                busy += 1
            again = now + chance.expovariate(1 / studio.every_s)
            heapq.heappush(clock, (again, next(devices.sequence), who, None))
        scheduler.tick(now)
        for begun in devices.begun:
            heapq.heappush(clock, begun)
        devices.begun.clear()
    return waits, busy


def _submit(studio: Studio, client: str, chance: random.Random) -> Submit:
    side = chance.choices(studio.sides, studio.shares)[0]
    return Submit(
        uuid.UUID(int=chance.getrandbits(128)).hex,
        client,
        "landscape",
        LANDSCAPE.digest,
        chance.randrange(2**31),
        (side, side),
        "uint8",
        side * side,
        output=Output((side, side)),
        deadline_ms=3_600_000,
        no_cache=True,
    )


def _rendered(each: Try) -> Rendered:
    size = each.submit.output.size or each.submit.shape
    return Rendered(each.ticket, size, "raw", "", "0" * 64, run_ms=1.0, encode_ms=0.0)


def main(studio: Studio) -> None:
    """Print the table, and draw it."""
    print(studio)
    print("devices  artists  pictures   p50 s   p95 s   p99 s  told to come back")
    lines: dict[int, list[float]] = {}
    for number in studio.devices:
        for artists in studio.artists:
            waits, busy = simulate(studio, artists, number)
            p50, p95, p99 = np.percentile(waits, [50, 95, 99])
            lines.setdefault(number, []).append(float(p95))
            print(
                f"{number:7d}{artists:9d}{len(waits):10d}{p50:8.2f}{p95:8.2f}{p99:8.2f}{busy:12d}", flush=True
            )
    if studio.plot is not None:
        studio.plot.write_text(drawn(studio.artists, lines), encoding="utf-8")


def drawn(artists: Sequence[int], lines: dict[int, list[float]]) -> str:
    """The p95 waits as SVG, a line for each number of devices; the scale is logarithmic, from 0.1 to 1000 s."""
    width, height, left, low, high = 560, 320, 60, 0.1, 1000.0
    colours = ("#b5482a", "#c98a1b", "#3f7d3c", "#2b5f9e")

    def across(value: float) -> float:
        return left + (value - artists[0]) / (artists[-1] - artists[0]) * (width - left - 110)

    def up(seconds: float) -> float:
        share = np.log(np.clip(seconds, low, high) / low) / np.log(high / low)
        return 20 + (1 - share) * (height - 70)

    parts = [f'<rect width="{width}" height="{height}" fill="white"/>']
    for level in (0.1, 1, 10, 100, 1000):
        parts.append(
            f'<path d="M{left} {up(level):.0f}H{width - 110}" stroke="#ddd"/>'
            f'<text x="{left - 6}" y="{up(level) + 4:.0f}" text-anchor="end">{level:g} s</text>'
        )
    for value in artists:
        parts.append(f'<text x="{across(value):.0f}" y="{height - 32}" text-anchor="middle">{value}</text>')
    parts.append(f'<text x="{width / 2 - 30:.0f}" y="{height - 10}" text-anchor="middle">artists</text>')
    for colour, (number, waits) in zip(colours * 4, lines.items(), strict=False):
        points = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in zip(artists, waits, strict=True))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        name = f"{number} device{'s' if number > 1 else ''}"
        parts.append(f'<text x="{width - 104}" y="{up(waits[-1]) + 4:.0f}" fill="{colour}">{name}</text>')
    font = 'font-family="sans-serif" font-size="12"'
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font}>{"".join(parts)}</svg>\n'


if __name__ == "__main__":
    main(tyro.cli(Studio))
