# SPDX-License-Identifier: Apache-2.0
"""What the server costs beyond the network: time of a round trip with the trivial generator, and memory.

python -m benchmarks.server_overhead
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from spade_core.contract.client import Client
from spade_core.contract.labels import load_label_set
from spade_core.contract.messages import Failed, Finished
from spade_core.contract.request import Delivery, PictureRequest
from tests.server.running import TRIVIAL, RunningServer, resident_mib

REAL = "spade_core.synthesis.synthesizer:Synthesizer"
ROUNDS = 30
MEMORY_LIMIT_MIB = 1536
LANDSCAPE = load_label_set("landscape")


def valley(side: int) -> np.ndarray:
    """Sky, mountains, trees and water: a map with as many borders as a scene has."""
    rows, columns = np.mgrid[0:side, 0:side] / side
    label_map = np.zeros((side, side), np.uint8)
    label_map[rows > 0.35 + 0.12 * np.sin(columns * 9)] = 3
    label_map[rows > 0.55 + 0.04 * np.sin(columns * 40)] = 8
    label_map[rows > 0.8] = 13
    return label_map


def round_trip(client: Client, label_map: np.ndarray, seed: int) -> tuple[float, Finished]:
    """Milliseconds from submit to picture, and the reply."""
    began = time.perf_counter()
    job = client.submit(PictureRequest(label_map, LANDSCAPE, seed=seed), Delivery(no_cache=True))
    while True:
        for event in client.poll(1000):
            if isinstance(event, Failed) and event.id == job:
                raise SystemExit(str(event.error))
            if isinstance(event, Finished) and event.id == job:
                return (time.perf_counter() - began) * 1e3, event


def measure(name: str, synthesizer: str, rounds: int) -> None:
    """One row of the table: a fresh server with this generator."""
    with tempfile.TemporaryDirectory() as folder:
        with RunningServer(Path(folder), "--synthesizer", synthesizer) as server, server.client() as client:
            status = client.status()
            if status.state != "ready":
                print(f"{name:10} not measured: {status.problems}")
                return
            round_trip(client, valley(512), 0)
            trips = [round_trip(client, valley(512), seed) for seed in range(1, rounds + 1)]
            total = statistics.median(trip for trip, _ in trips)
            beyond = [trip - reply.timings.run_ms for trip, reply in trips]
            broker, worker = (resident_mib(pid) for pid in client.status().pids)
            memory = f"{broker:10.0f} {worker:10.0f} {broker + worker:10.0f}"
            print(f"{name:10} {total:10.1f} {statistics.median(beyond):10.1f} {min(beyond):10.1f} {memory}")


def main() -> None:
    """Print the table."""
    print("512 x 512, raw; ms (medians; overhead is all but the network, limit 10) and resident MiB")
    print(f"(limit {MEMORY_LIMIT_MIB} together)")
    columns = ("generator", "trip", "overhead", "its best", "broker", "worker", "together")
    print(" ".join(f"{column:{'<' if column == 'generator' else '>'}10}" for column in columns))
    measure("trivial", TRIVIAL, ROUNDS)
    measure("real", REAL, 3)


if __name__ == "__main__":
    main()
