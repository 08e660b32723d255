# SPDX-License-Identifier: Apache-2.0
"""What a server promises while it is busy, measured with the real model: `python -m benchmarks.server_promises`.

Pings while a large picture is painted; a neighbour's small job in a flood; pictures a second by batches and by workers.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.server_load import LANDSCAPE, REAL
from spade_core.contract.client import Client
from spade_core.contract.messages import Cancelled, Failed, Finished, Ping, Pong
from spade_core.contract.request import Delivery, PictureRequest
from tests.server.running import TRIVIAL, RawPeer, RunningServer
from tests.server.trivial import SLOW

LONG = Delivery(no_cache=True, deadline_s=600, patience_s=600)


def all_sky(side: int, seed: int = 0, **wishes: str) -> PictureRequest:
    """A request for a picture of nothing but sky."""
    return PictureRequest(np.zeros((side, side), np.uint8), LANDSCAPE, seed=seed, **wishes)  # type: ignore[arg-type]


def finish(client: Client, jobs: Sequence[str], timeout_s: float = 600) -> list[Finished]:
    """All pictures; ends the program where one fails."""
    done: list[Finished] = []
    end = time.monotonic() + timeout_s
    while len(done) < len(jobs) and time.monotonic() < end:
        for event in client.poll(20):
            if isinstance(event, Failed | Cancelled):
                raise SystemExit(str(event))
            if isinstance(event, Finished) and event.id in jobs:
                done.append(event)
    return done


def pings(server: RunningServer) -> None:
    """While a picture of 1024 x 1024 is painted without an upscaler."""
    with server.client() as client, RawPeer(server.connection) as peer:
        job, trips = client.submit(all_sky(1024, upscale="off"), LONG), []
        while job in client.live:
            began = time.perf_counter()
            peer.say(Ping())
            peer.heard_of(Pong)
            trips.append((time.perf_counter() - began) * 1e3)
            client.poll(5)
        p50, p99 = np.percentile(trips, [50, 99])
        print(
            f"ping while 1024 x 1024 is painted: p50 {p50:.1f}, p99 {p99:.1f} ms of {len(trips)} (limit 20)"
        )


def flood(server: RunningServer) -> None:
    """400 jobs of one client, and now and then one of another."""
    with server.client() as greedy, server.client() as modest:

        def wait_ms() -> float:
            began = time.perf_counter()
            finish(modest, [modest.submit(all_sky(128, 7), LONG)])
            return (time.perf_counter() - began) * 1e3

        alone = np.median([wait_ms() for _ in range(5)])
        left, waits, live = 400, [], set()
        while left or live:
            while left and len(live) < 16:
                live.add(greedy.submit(all_sky(64, SLOW + left % 20), LONG))
                left -= 1
            live -= {event.id for event in greedy.poll(0) if isinstance(event, Finished)}
            if left % 20 == 0 and left:
                waits.append(wait_ms())
        print(
            f"128 x 128 alone {alone:.0f} ms, in a flood of 400 p50 {np.median(waits):.0f}, max {max(waits):.0f} ms"
        )


def throughput(devices: str, name: str, side: int) -> None:
    """Pictures a second of 8 clients, one job each at a time or all at once."""
    with tempfile.TemporaryDirectory() as folder:
        options = ("--devices", devices, "--unload-after", "0")
        with RunningServer(Path(folder), *options, synthesizer=REAL, wait=False) as server:
            server.wait_for(lambda status: len(status.pids) == 2 + devices.count(","), 300)
            server.wait_for(lambda status: status.state == "ready", 300)
            clients = [server.client() for _ in range(8)]
            for part, client in enumerate(clients):
                finish(client, [client.submit(all_sky(side, 900 + part), LONG)])
            began, count = time.perf_counter(), 0
            jobs = [
                [client.submit(all_sky(side, 10 * n + i), LONG) for i in range(3)]
                for n, client in enumerate(clients)
            ]
            for client, own in zip(clients, jobs, strict=True):
                count += len(finish(client, own))
            print(
                f"{side} x {side}, 8 clients, {name}: {count / (time.perf_counter() - began):.2f} pictures a second"
            )
            for client in clients:
                client.close()


def main() -> None:
    """Print all of it."""
    with tempfile.TemporaryDirectory() as folder:
        with RunningServer(Path(folder) / "trivial", synthesizer=TRIVIAL) as server:
            flood(server)
        with RunningServer(Path(folder) / "real", synthesizer=REAL, wait=False) as server:
            server.wait_for(lambda status: status.state == "ready", 300)
            pings(server)
    for side in (64, 256):
        throughput("cpu", "one worker", side)
        throughput("cpu,cpu", "two workers that share the threads", side)


if __name__ == "__main__":
    main()
