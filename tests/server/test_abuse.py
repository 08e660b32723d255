# SPDX-License-Identifier: Apache-2.0
"""Peers that are let in and abuse it: the broker stays under 200 MB, and the others are served."""

from __future__ import annotations

import os
import signal
import socket as tcp
import subprocess
import sys
import threading
import time
import uuid
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zmq

from spade_core.contract.messages import Failed, Finished, Hello, Ping, Pong, Submit
from spade_core.contract.request import Delivery, PictureRequest
from tests.server.running import ROOT, RawPeer, RunningServer, resident_mib

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc, TCP_INFO")
MOST_MIB = 200 / 1.048576
GRASS = bytes([6]) * 64 * 64


@pytest.fixture
def server(tmp_path):
    with RunningServer(tmp_path) as server:
        yield server


class Watch(threading.Thread):
    """Notes, while somebody misbehaves, how much memory the broker takes and how long a neighbour's pings do."""

    def __init__(self, server: RunningServer):
        super().__init__(daemon=True)
        self._server = server
        self._over = threading.Event()
        self.peak_mib, self.pings_ms = 0.0, []

    def run(self) -> None:
        with RawPeer(self._server.connection) as neighbour:
            while not self._over.wait(0.01):
                self.peak_mib = max(self.peak_mib, resident_mib(self._server.process.pid))
                began = time.perf_counter()
                neighbour.say(Ping())
                neighbour.heard_of(Pong, 20)
                self.pings_ms.append((time.perf_counter() - began) * 1e3)

    def __enter__(self) -> Watch:
        self.start()
        time.sleep(0.2)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()
        print(f"\npeak {self.peak_mib:.0f} MiB, ping max {max(self.pings_ms):.0f} ms of {len(self.pings_ms)}")


def submit(landscape, **changes) -> Submit:
    plain = Submit(
        uuid.uuid4().hex, uuid.uuid4().hex, "landscape", landscape.digest, 0, (64, 64), "uint8", 64 * 64
    )
    return replace(plain, **changes)


def paints(server: RunningServer, landscape, label_map) -> bool:
    with server.client() as client:
        return client.generate(
            PictureRequest(label_map, landscape), Delivery(no_cache=True), timeout_s=20
        ).rgb.any()


# libzmq sends a message when it is whole: only a program of its own can leave one unfinished on purpose. This one stops
# in the middle of a message of 60 frames.
UNFINISHED = """
import sys, time, zmq
from pathlib import Path
from spade_core.contract.connection import read_connection_file
from spade_core.contract.sockets import dealer
connection = read_connection_file(Path(sys.argv[1]))
socket = dealer(zmq.Context(), connection.address, connection.credentials)
socket.send_multipart([b"SPB1", b'{"kind":"Ping"}', *[bytes(int(sys.argv[2]))] * int(sys.argv[3])], copy=False)
time.sleep(60)
"""


@pytest.mark.parametrize(("size_mib", "count"), [(30, 40), (1, 2000), (60, 20)])
def test_a_message_that_grows_without_end_ends_its_connection(server, landscape, label_map, size_mib, count):
    words = [str(server.file), str(size_mib * 2**20), str(count)]
    with Watch(server) as watch:
        peer = subprocess.Popen([sys.executable, "-c", UNFINISHED, *words], cwd=ROOT)
        time.sleep(8)
        assert paints(server, landscape, label_map)
        peer.kill()
        peer.wait()
    assert watch.peak_mib < MOST_MIB and max(watch.pings_ms) < 1500


def test_the_largest_request_that_is_allowed_is_not_mistaken_for_one(server, landscape):
    noise = np.random.default_rng(1).integers(0, 8, (4096, 4096), np.uint8)  # does not deflate well
    with Watch(server) as watch, server.client() as client:
        client.fetch_welcome()
        jobs = [
            client.submit(PictureRequest(noise, landscape, seed=seed, size=(64, 64)), Delivery(patience_s=60))
            for seed in range(3)
        ]
        ended = []
        end = time.monotonic() + 60
        while len(ended) < len(jobs) and time.monotonic() < end:
            ended += [event for event in client.poll(100) if isinstance(event, Finished | Failed)]
    assert [type(event) for event in ended] == [Finished] * 3, ended
    assert watch.peak_mib < MOST_MIB


def test_refused_jobs_are_neither_kept_nor_answered_without_end(server, landscape):
    with RawPeer(server.connection) as peer, Watch(server) as watch:
        for _ in range(10_000):
            peer.say(submit(landscape, dtype="d" * 5000), GRASS)
        told = sum(isinstance(reply, Failed) for reply in peer.all_heard(during_s=3))
    assert 40 <= told < 300
    assert watch.peak_mib < 80, "refusals are forgotten"


def test_label_maps_that_are_none_cost_their_sender_its_turn_and_not_the_neighbours(
    server, landscape, label_map
):
    side = 4096
    ids = np.zeros((side, side), np.uint16)
    ids[-1, -1] = 999  # found at the very end
    late = zlib.compress(ids.tobytes(), 1)
    job = submit(landscape, shape=(side, side), dtype="uint16", encoding="zlib", raw_bytes=ids.nbytes)
    with Watch(server) as watch, RawPeer(server.connection) as peer:
        for _ in range(60):
            peer.say(replace(job, id=uuid.uuid4().hex), late)
        began = time.monotonic()
        assert paints(server, landscape, label_map)
        assert time.monotonic() - began < 3
        replies = peer.all_heard(during_s=4)
    assert any(isinstance(reply, Failed) and reply.code == "BAD_LABEL" for reply in replies)
    assert len(replies) < 60, "a connection that wastes the broker's time is not heard any more"
    assert watch.peak_mib < MOST_MIB


def test_slow_readers_hold_little_and_what_they_held_is_given_back(server, landscape):
    label_map = bytes([6]) * 1024 * 1024
    before = resident_mib(server.process.pid)
    peers = [RawPeer(server.connection, rcvhwm=2) for _ in range(6)]
    with Watch(server) as watch:
        sessions = [uuid.uuid4().hex for _ in peers]
        for seed in range(40):
            for peer, session in zip(peers, sessions, strict=True):
                job = submit(
                    landscape, client=session, seed=seed, shape=(1024, 1024), raw_bytes=2**20, no_cache=True
                )
                peer.say(job, label_map)
            time.sleep(0.15)
        for peer in peers:
            peer.__exit__()
        time.sleep(8)  # their jobs wait five seconds for them to come back
    assert watch.peak_mib < MOST_MIB
    # What is left: the cache of pictures, and last words that may be asked for again.
    assert resident_mib(server.process.pid) < before + 64 + 50 + 8


def test_a_peer_that_asks_and_never_reads_is_given_up(server, landscape, label_map):
    with RawPeer(server.connection, rcvhwm=2) as peer, Watch(server) as watch:
        end = time.monotonic() + 8
        while time.monotonic() < end:
            for _ in range(200):
                peer.say(Hello())
            time.sleep(0.005)
        assert paints(server, landscape, label_map)
    assert watch.peak_mib < 120


def test_a_flood_at_the_port_for_workers_hinders_nobody(server, landscape, label_map):
    addresses = server.connection.address, server.connection.control_address
    known = {int(address.rpartition(":")[2]) for address in addresses}
    (port,) = _listening(server.process.pid) - known
    context = zmq.Context()
    strangers = []
    try:
        for _ in range(4):
            stranger = context.socket(zmq.DEALER)
            stranger.linger, stranger.sndhwm = 0, 1000
            stranger.connect(f"tcp://127.0.0.1:{port}")
            strangers.append(stranger)
        workers = server.status().pids
        with Watch(server) as watch:
            end = time.monotonic() + 4
            while time.monotonic() < end:
                for stranger in strangers:
                    try:
                        stranger.send(b"x", zmq.DONTWAIT)
                    except zmq.Again:
                        time.sleep(0.001)
            assert paints(server, landscape, label_map)
        assert server.status().pids == workers
        assert watch.peak_mib < 80 and max(watch.pings_ms) < 1000
    finally:
        context.destroy(linger=0)


@pytest.mark.parametrize("greeting", [b"GET / HTTP/1.1\r\n\r\n", b"", b"\xff" + bytes(8) + b"\x7f\x03"])
def test_who_does_not_speak_the_protocol_is_shown_out_within_seconds(server, greeting):
    descriptors = Path(f"/proc/{server.process.pid}/fd")
    before = len(list(descriptors.iterdir()))
    talkers = [_talker(server, greeting) for _ in range(100)]
    time.sleep(5)
    try:
        assert len(list(descriptors.iterdir())) < before + 5
    finally:
        for talker in talkers:
            talker.close()


def test_the_descriptors_never_run_out_for_workers(tmp_path, landscape, label_map):
    with RunningServer(tmp_path, before=["bash", "-c", 'ulimit -n 200; exec "$0" "$@"']) as server:
        worker = next(pid for pid in server.status().pids if pid != server.process.pid)
        talkers = [_talker(server, b"") for _ in range(500)]
        os.kill(worker, signal.SIGKILL)
        for _ in range(4):
            talkers += [_talker(server, b"") for _ in range(100)]
            time.sleep(0.3)
        for talker in talkers:
            talker.close()
        time.sleep(2)
        assert server.process.poll() is None
        assert paints(server, landscape, label_map)


def test_five_hundred_clients_at_once_are_all_answered(server):
    peers = [RawPeer(server.connection) for _ in range(500)]
    try:
        for peer in peers:
            peer.say(Ping())
        assert all(peer.heard(20) for peer in peers)
    finally:
        for peer in peers:
            peer.__exit__()


def _talker(server: RunningServer, greeting: bytes) -> tcp.socket:
    talker = tcp.create_connection(
        ("127.0.0.1", int(server.connection.address.rpartition(":")[2])), timeout=5
    )
    talker.sendall(greeting)
    return talker


def _listening(pid: int) -> set[int]:
    """The TCP ports that a process listens at."""
    own = {os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()}
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {int(row[1].split(":")[1], 16) for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in own}
