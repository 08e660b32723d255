# SPDX-License-Identifier: Apache-2.0
"""How a server does under a load that does not wait for it: `python -m benchmarks.server_load --help`.

Open loop: artists ask at random moments (a Poisson process) whether or not earlier pictures have come, as people do.
A closed loop, in which each waits for its picture, would slow down with the server and hide what the wait was.
"""

from __future__ import annotations

import random
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import tyro

from spade_core.contract.client import Client
from spade_core.contract.labels import load_label_set
from spade_core.contract.messages import Cancelled, Failed, Finished
from spade_core.contract.request import Delivery, PictureRequest
from tests.server.running import TRIVIAL, RunningServer

REAL = "spade_core.synthesis.synthesizer:Synthesizer"
LANDSCAPE = load_label_set("landscape")


@dataclass(frozen=True)
class Load:
    """What is asked of the server."""

    rates: tuple[float, ...] = (0.5, 1.0, 2.0)
    """Pictures a second of all artists together; a row of the table each."""
    seconds: float = 30.0
    artists: int = 8
    side: int = 256
    devices: str = "auto"
    trivial: bool = False
    """Without the network: what the server itself can do."""
    seed: int = 0


@dataclass
class Seen:
    """Of one artist: seconds from asking to the picture, and the share of them that was neither queue nor painting."""

    waits_s: list[float] = field(default_factory=list)
    overheads_s: list[float] = field(default_factory=list)
    failed: int = 0


def main(load: Load) -> None:
    """Print the table."""
    print(
        f"{load.artists} artists, {load.side} x {load.side}, {load.seconds:g} s a row, devices {load.devices}"
    )
    print("   asked/s    done/s   p50 s   p95 s   p99 s  fairness  overhead p50 ms  failed")
    options = ("--devices", load.devices, "--unload-after", "0")
    synthesizer = TRIVIAL if load.trivial else REAL
    with tempfile.TemporaryDirectory() as folder:
        with RunningServer(Path(folder), *options, synthesizer=synthesizer, wait=False) as server:
            server.wait_for(lambda status: status.state != "warming", 300)
            for rate in load.rates:
                seen, took_s = run(server, load, rate)
                print(row(rate, seen, took_s), flush=True)


def run(server: RunningServer, load: Load, rate: float) -> tuple[list[Seen], float]:
    """What each artist saw, and how long it took until the last picture had come."""
    chance = random.Random(load.seed)
    clients = [server.client() for _ in range(load.artists)]
    seen = [Seen() for _ in clients]
    asked: list[dict[str, float]] = [{} for _ in clients]
    began = time.monotonic()
    next_at, seed = began + chance.expovariate(rate), 0
    while time.monotonic() < began + load.seconds or any(asked):
        while (now := time.monotonic()) >= next_at and next_at < began + load.seconds:
            seed += 1
            who = chance.randrange(load.artists)
            job = clients[who].submit(_request(load.side, seed), Delivery(no_cache=True, deadline_s=600))
            asked[who][job] = next_at  # not now: that this program was late is part of the wait
            next_at += chance.expovariate(rate)
        for number, client in enumerate(clients):
            _read(client, asked[number], seen[number], now)
        time.sleep(0.001)
    for client in clients:
        client.close()
    return seen, time.monotonic() - began


def _request(side: int, seed: int) -> PictureRequest:
    ids = np.array([entry.id for entry in LANDSCAPE.classes], np.uint8)
    bands = ids[(np.arange(side) * 6 // side + seed) % len(ids)]
    return PictureRequest(np.repeat(bands[:, None], side, axis=1), LANDSCAPE, seed=seed % 1000)


def _read(client: Client, asked: dict[str, float], seen: Seen, now: float) -> None:
    for event in client.poll(0):
        if isinstance(event, Finished | Failed | Cancelled) and event.id in asked:
            waited_s = time.monotonic() - asked.pop(event.id)
            if not isinstance(event, Finished):
                seen.failed += 1
                continue
            seen.waits_s.append(waited_s)
            explained_ms = event.timings.queue_ms + event.timings.run_ms
            seen.overheads_s.append(waited_s - explained_ms / 1e3)


def row(rate: float, seen: list[Seen], took_s: float) -> str:
    """fairness: Jain's index of the artists' mean waits, 1 where all wait alike."""
    waits = np.array([wait for each in seen for wait in each.waits_s])
    overheads = np.array([value for each in seen for value in each.overheads_s])
    if not len(waits):
        return f"{rate:10.2f}      none"
    means = np.array([np.mean(each.waits_s) for each in seen if each.waits_s])
    fairness = means.sum() ** 2 / (len(means) * (means**2).sum())
    p50, p95, p99 = np.percentile(waits, [50, 95, 99])
    failed = sum(each.failed for each in seen)
    return (
        f"{rate:10.2f}{len(waits) / took_s:10.2f}{p50:8.2f}{p95:8.2f}{p99:8.2f}{fairness:10.2f}"
        f"{np.median(overheads) * 1e3:17.1f}{failed:8d}"
    )


if __name__ == "__main__":
    main(tyro.cli(Load))
