# SPDX-License-Identifier: Apache-2.0
"""What the server costs beyond the generator: time of a round trip with the trivial one and the real one, and memory.

python -m benchmarks.server_overhead

Both servers run all the while and take turns, so that what else the machine does meets both alike.
"""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from spade_core.contract.client import Client
from spade_core.contract.labels import load_label_set
from spade_core.contract.messages import Failed, Finished, Timings
from spade_core.contract.request import Delivery, PictureRequest
from tests.server.running import TRIVIAL, RunningServer, resident_mib

REAL = "spade_core.synthesis.synthesizer:Synthesizer"
TURNS = 10
PICTURES = {TRIVIAL: 25, REAL: 1}
"""Of each turn."""
LIMIT_MS, MEMORY_LIMIT_MIB = 10, 1536
LANDSCAPE = load_label_set("landscape")


def valley(side: int) -> np.ndarray:
    """Sky, mountains, trees and water: a map with as many borders as a scene has."""
    rows, columns = np.mgrid[0:side, 0:side] / side
    label_map = np.zeros((side, side), np.uint8)
    label_map[rows > 0.35 + 0.12 * np.sin(columns * 9)] = 3
    label_map[rows > 0.55 + 0.04 * np.sin(columns * 40)] = 8
    label_map[rows > 0.8] = 13
    return label_map


def round_trip(client: Client, label_map: np.ndarray, seed: int) -> tuple[float, Timings]:
    """Milliseconds from submit to picture, and the server's own."""
    began = time.perf_counter()
    job = client.submit(PictureRequest(label_map, LANDSCAPE, seed=seed), Delivery(no_cache=True))
    while True:
        for event in client.poll(1000):
            if isinstance(event, Failed) and event.id == job:
                raise SystemExit(str(event.error))
            if isinstance(event, Finished) and event.id == job:
                return (time.perf_counter() - began) * 1e3, event.timings


def processor_ms(pid: int) -> float:
    """What a process has used of the processors since it began."""
    spent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, spent)) * 1e3 / os.sysconf("SC_CLK_TCK")


class Measured:
    """A server with one generator, and what its pictures took."""

    def __init__(self, name: str, synthesizer: str, stack: ExitStack):
        self.name, self._pictures = name, PICTURES[synthesizer]
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(RunningServer(folder, "--synthesizer", synthesizer))
        self._client = stack.enter_context(server.client())
        status = self._client.status()
        if status.state != "ready":
            raise SystemExit(f"{name}: {status.problems}")
        self._broker, self._worker = status.pids
        for seed in range(3):
            round_trip(self._client, valley(512), seed)
        self._broker_ms = 0.0
        self._trips: list[float] = []
        self._beyond: list[float] = []

    def turn(self, seed: int) -> None:
        """Some more pictures."""
        began_ms = processor_ms(self._broker)
        for number in range(self._pictures):
            trip, timings = round_trip(self._client, valley(512), 10 + seed * self._pictures + number)
            self._trips.append(trip)
            self._beyond.append(trip - timings.run_ms)
        self._broker_ms += processor_ms(self._broker) - began_ms

    def row(self) -> str:
        """Of the table."""
        broker_ms = self._broker_ms / len(self._trips)
        quarter, median, most = np.percentile(self._beyond, [25, 50, 75])
        times = f"{np.median(self._trips):10.1f} {median:10.1f} {quarter:6.1f}-{most:<4.1f}{broker_ms:10.1f}"
        broker, worker = resident_mib(self._broker), resident_mib(self._worker)
        return f"{self.name:10} {len(self._trips):10} {times} {broker:10.0f} {worker:10.0f} {broker + worker:10.0f}"


def main() -> None:
    """Print the table."""
    print(
        f"512 x 512, raw; ms; overhead is all but the generator (p50, limit {LIMIT_MS}, and its quartiles),"
    )
    print(
        f"processor what the broker uses of it for a picture; resident MiB (limit {MEMORY_LIMIT_MIB} together)"
    )
    columns = ("pictures", "trip", "overhead", "quartiles", "processor", "broker", "worker", "together")
    print(f"{'generator':10} " + " ".join(f"{column:>10}" for column in columns))
    with ExitStack() as stack:
        measured = [Measured("trivial", TRIVIAL, stack), Measured("real", REAL, stack)]
        for turn in range(TURNS):
            for each in measured:
                each.turn(turn)
        for each in measured:
            print(each.row())
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
