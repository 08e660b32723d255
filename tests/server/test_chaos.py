# SPDX-License-Identifier: Apache-2.0
"""Everything goes wrong at once, by a seed: nothing is lost, wrong, said twice, or refused without cause."""

import os
import random
import signal
import socket
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from server.reply_cache import CACHE_BYTES
from spade_core.contract.client import Client
from spade_core.contract.errors import PoisonError, SpadeError
from spade_core.contract.labels import load_label_set
from spade_core.contract.messages import Cancelled, Failed, Finished
from spade_core.contract.request import Delivery, PictureRequest
from tests.server.running import RawPeer, RunningServer, resident_mib
from tests.server.trivial import DIES, SLOW

LANDSCAPE = load_label_set("landscape")
SIDES = (64, 96)
CLIENTS, WINDOW = 4, 8
DEADLINE_S = 240


@dataclass
class Tally:
    """What became of the jobs; every list but `waits_s` should stay empty."""

    correct: int = 0
    cancelled: int = 0
    refused: list[str] = field(default_factory=list)
    wrong: list[int] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)
    waits_s: list[float] = field(default_factory=list)


def label_map_of(seed: int) -> np.ndarray:
    side = SIDES[seed % len(SIDES)]
    ids = [entry.id for entry in LANDSCAPE.classes]
    return np.full((side, 64), ids[seed % len(ids)], np.uint8)


def wanted(seed: int) -> np.ndarray:
    return LANDSCAPE.colorize(label_map_of(seed)) + np.uint8(seed % 251)


class Artist(threading.Thread):
    """A client with several jobs at a time, some of them cancelled; compares every picture."""

    def __init__(self, file: Path, number: int, jobs: int, tally: Tally):
        super().__init__()
        self._random = random.Random(number)
        self._client = Client.from_connection_file(file)
        self._tally = tally
        # Half of them take a while, so that faults find somebody at work.
        self._seeds = [
            (SLOW + 40 if index % 2 else 0) + number * 10_000 % 900 + index % 100 for index in range(jobs)
        ]
        self._live: dict[str, tuple[int, float]] = {}
        self._ended: set[str] = set()
        self._to_cancel: set[str] = set()

    def run(self) -> None:
        end = time.monotonic() + DEADLINE_S
        with self._client as client:
            while (self._seeds or self._live) and time.monotonic() < end:
                while self._seeds and len(self._live) < WINDOW:
                    self._submit(client, self._seeds.pop())
                for event in client.poll(20):
                    if isinstance(event, Finished | Failed | Cancelled):
                        self._end(event)
        self._tally.lost += [seed for seed, _ in self._live.values()] + self._seeds

    def _submit(self, client: Client, seed: int) -> None:
        request = PictureRequest(label_map_of(seed), LANDSCAPE, seed=seed)
        delivery = Delivery(deadline_s=DEADLINE_S, patience_s=DEADLINE_S, no_cache=True)
        job = client.submit(request, delivery)
        self._live[job] = seed, time.monotonic()
        if self._random.random() < 0.05:
            client.cancel(job)
            self._to_cancel.add(job)

    def _end(self, event: Finished | Failed | Cancelled) -> None:
        tally = self._tally
        if event.id in self._ended:
            tally.doubled.append(event.id)
            return
        self._ended.add(event.id)
        seed, began = self._live.pop(event.id)
        tally.waits_s.append(time.monotonic() - began)
        if isinstance(event, Finished):
            if np.array_equal(event.rgb, wanted(seed)):
                tally.correct += 1
            else:
                tally.wrong.append(seed)
        elif isinstance(event, Cancelled) and event.id in self._to_cancel:
            tally.cancelled += 1
        else:
            tally.refused.append(f"{seed}: {event}")


class Chaos:
    """A server on a port of its own, and what is done to it."""

    def __init__(self, folder: Path, seed: int):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            bind = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        self._folder, self._options = folder, ("--bind", bind, "--devices", "cpu,cpu")
        self._random = random.Random(seed)
        self.server = RunningServer(folder, *self._options)
        self.done: dict[str, int] = {}

    def workers(self) -> list[int]:
        try:
            return list(self.server.status().pids[1:])
        except SpadeError:
            return []

    def kill_a_worker(self) -> None:
        for pid in self._random.sample(workers := self.workers(), min(1, len(workers))):
            _signal(pid, signal.SIGKILL)

    def kill_a_worker_and_the_next_while_it_loads(self) -> None:
        before = self.workers()
        self.kill_a_worker()
        end = time.monotonic() + 3
        while time.monotonic() < end:
            for pid in set(self.workers()) - set(before):
                _signal(pid, signal.SIGKILL)
                return
            time.sleep(0.02)

    def hang_a_worker(self) -> None:
        for pid in self.workers()[:1]:
            _signal(pid, signal.SIGSTOP)

    def kill_the_broker(self) -> None:
        self.server.process.kill()
        self.server.process.wait()
        time.sleep(0.2)
        self.server = RunningServer(self._folder, *self._options, wait=False)
        time.sleep(2)  # its workers load

    def send_garbage(self) -> None:
        with RawPeer(self.server.connection) as peer:
            for _ in range(200):
                peer.send(*(self._random.randbytes(self._random.randrange(60)) for _ in range(3)))

    def poison(self) -> None:
        """One job that ends every worker that touches it, of a client of its own."""
        with Client.from_connection_file(self.server.file) as client:
            request = PictureRequest(label_map_of(0), LANDSCAPE, seed=DIES)
            with pytest.raises(PoisonError):
                client.generate(request, Delivery(deadline_s=DEADLINE_S), timeout_s=DEADLINE_S)

    def read_nothing(self) -> None:
        """A client with jobs that it never asks about again, and whose picture nobody takes."""
        with Client.from_connection_file(self.server.file) as client:
            for seed in range(8):
                client.submit(
                    PictureRequest(label_map_of(seed), LANDSCAPE, seed=seed), Delivery(no_cache=True)
                )
            client.poll(200)
            time.sleep(1)

    def run(self, faults: list[str]) -> None:
        """One after the other, with a little peace between them."""
        for name in faults:
            getattr(self, name)()
            self.done[name] = self.done.get(name, 0) + 1
            time.sleep(self._random.uniform(0.3, 1.0))


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def chaos(folder: Path, seed: int, jobs: int, faults: dict[str, int]) -> Tally:
    """Artists at work while this happens to their server; more work is given until all of it has."""
    tally, storm = Tally(), Chaos(folder, seed)
    order = [name for name, count in faults.items() for _ in range(count)]
    random.Random(seed).shuffle(order)
    try:
        artists = [Artist(storm.server.file, number, jobs // CLIENTS, tally) for number in range(CLIENTS)]
        for artist in artists:
            artist.start()
        storm.run(order)
        for artist in artists:
            artist.join()
    finally:
        storm.server.__exit__()
    assert storm.done == faults
    return tally


def assert_nothing_is_amiss(tally: Tally, jobs: int) -> None:
    assert not tally.lost and not tally.wrong and not tally.doubled, tally
    assert not tally.refused, tally.refused
    assert tally.correct + tally.cancelled == jobs


@pytest.mark.timeout(DEADLINE_S + 60)
def test_in_a_minute_of_chaos_nothing_is_lost_wrong_doubled_or_refused(tmp_path):
    faults = {
        "kill_a_worker": 6,
        "kill_a_worker_and_the_next_while_it_loads": 2,
        "hang_a_worker": 1,
        "kill_the_broker": 2,
        "send_garbage": 2,
        "poison": 1,
        "read_nothing": 2,
    }
    assert_nothing_is_amiss(chaos(tmp_path, 1, 400, faults), 400)


@pytest.mark.slow
@pytest.mark.timeout(2 * DEADLINE_S)
@pytest.mark.parametrize("seed", [2, 3])
def test_in_minutes_of_chaos_nothing_is_lost_wrong_doubled_or_refused(tmp_path, seed):
    faults = {
        "kill_a_worker": 18,
        "kill_a_worker_and_the_next_while_it_loads": 6,
        "hang_a_worker": 3,
        "kill_the_broker": 5,
        "send_garbage": 5,
        "poison": 2,
        "read_nothing": 5,
    }
    assert_nothing_is_amiss(chaos(tmp_path, seed, 1000, faults), 1000)


def four_times(pixels: np.ndarray) -> np.ndarray:
    """Large enough to fill the broker's cache of replies soon."""
    return pixels.repeat(4, 0).repeat(4, 1)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_memory_stays_flat_within_a_twentieth(tmp_path):
    minutes = float(os.environ.get("SPADE_SOAK_MINUTES", "4"))
    with RunningServer(tmp_path) as server, server.client() as client:
        pids, first, end = server.status().pids, None, time.monotonic() + 60 * minutes
        warm_at = time.monotonic() + 60 * minutes / 4
        seed = painted = 0
        while time.monotonic() < end:
            seed = (seed + 1) % 900
            request = PictureRequest(four_times(label_map_of(seed)), LANDSCAPE, seed=seed)
            rgb = client.generate(request, Delivery(no_cache=True)).rgb
            assert np.array_equal(rgb, four_times(wanted(seed)))
            painted += rgb.nbytes
            time.sleep(0.02)
            if first is None and time.monotonic() > warm_at and painted > 2 * CACHE_BYTES:
                first = [resident_mib(pid) for pid in pids]
        assert first is not None and server.status().pids == pids
        for before, pid in zip(first, pids, strict=True):
            assert resident_mib(pid) < 1.05 * before + 1
