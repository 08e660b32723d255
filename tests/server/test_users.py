# SPDX-License-Identifier: Apache-2.0
"""Several users of one server: each within their limits, none with a hand in another's jobs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from dataclasses import replace

import pytest

from server.allowance import Allowances
from server.config import ServerConfig
from server.user_limits import UserLimits
from spade_core.contract.connection import read_connection_file
from spade_core.contract.errors import BadOptionError, BusyError
from spade_core.contract.messages import Cancel, Failed, Finished, Hello, Ping, Pong, Submit
from tests.server.running import ROOT, RawPeer, RunningServer, process_exists
from tests.server.test_keys import keys
from tests.server.trivial import SLOW

GRASS = bytes([6]) * 64 * 64


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    """Keys of nobody else."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def studio(tmp_path):
    """A server of small limits, and what anna and ben need to come in."""
    options = ("--each-user.jobs", "3", "--each-user.connections", "4", "--each-user.megabytes", "1")
    with RunningServer(tmp_path / "studio", *options) as server:
        users = []
        for name in ("anna", "ben"):
            file = tmp_path / f"{name}.key"
            made = keys("new", name, "--address", server.connection.address, "-o", str(file))
            assert made.returncode == 0, made.stderr
            users.append(read_connection_file(file))
        yield server, *users


def submit(landscape, **changes) -> Submit:
    plain = Submit(
        uuid.uuid4().hex, uuid.uuid4().hex, "landscape", landscape.digest, 0, (64, 64), "uint8", 64 * 64
    )
    return replace(plain, **changes)


def test_a_user_has_so_many_jobs_from_all_their_programs_and_another_has_room(studio, landscape):
    _, anna, ben = studio
    peers = [RawPeer(anna) for _ in range(2)]
    try:
        for number in range(5):
            peers[number % 2].say(submit(landscape, seed=SLOW + 1500, no_cache=True), GRASS)
        refusals = [
            reply for peer in peers for reply in peer.all_heard(during_s=0.6) if isinstance(reply, Failed)
        ]
        assert [refusal.code for refusal in refusals] == ["BUSY"] * 2
        assert "'anna' already has 3 jobs" in refusals[0].message and refusals[0].retry_after_ms > 0
        with RawPeer(ben) as other:
            other.say(submit(landscape, seed=3), GRASS)
            assert isinstance(other.heard_of(Finished, 20), Finished)
    finally:
        for peer in peers:
            peer.__exit__()


def test_a_user_holds_so_much_memory(studio, landscape):
    _, anna, _ = studio
    with RawPeer(anna) as peer:
        for _ in range(2):
            big = submit(landscape, seed=SLOW + 1000, shape=(1024, 1024), raw_bytes=2**20, no_cache=True)
            peer.say(big, bytes([6]) * 2**20)
        assert peer.heard_of(Failed).code == "BUSY"


def test_a_user_has_so_many_connections(studio):
    _, anna, _ = studio
    peers = [RawPeer(anna) for _ in range(5)]
    try:
        for peer in peers[:4]:
            peer.say(Ping())
            assert isinstance(peer.heard(), Pong)
        peers[4].say(Ping())
        refusal = peers[4].heard()
        assert refusal.code == "BUSY" and "connected 4 times" in refusal.message
        peers[0].__exit__()
        time.sleep(0.5)
        peers[4].say(Ping())
        assert isinstance(peers[4].heard(), Pong), "there is room again"
    finally:
        for peer in peers:
            peer.__exit__()


def test_who_runs_the_server_is_not_limited(studio, landscape):
    server, _, _ = studio
    with RawPeer(server.connection) as own:
        for _ in range(8):
            own.say(submit(landscape, seed=SLOW + 100, no_cache=True), GRASS)
        replies = own.all_heard(during_s=4)
    assert sum(isinstance(reply, Finished) for reply in replies) == 8


def test_nobody_cancels_or_takes_over_the_job_of_another_user_whose_ids_they_know(studio, landscape):
    _, anna, ben = studio
    job = submit(landscape, seed=SLOW + 1000, no_cache=True)
    with RawPeer(anna) as hers, RawPeer(ben) as his:
        hers.say(job, GRASS)
        time.sleep(0.3)
        his.say(Hello(client=job.client))
        his.say(Cancel(job.id))
        his.say(submit(landscape, client=job.client, replaces=job.id, seed=9), GRASS)
        his.say(replace(job, seed=7), GRASS)  # the same ids: a job of his own
        assert isinstance(hers.heard_of(Finished, 20), Finished)
        his_own = [reply.id for reply in his.all_heard(during_s=3) if isinstance(reply, Finished)]
        assert len(his_own) == 2 and job.id in his_own


def test_an_identity_on_the_wire_that_another_user_had_gives_nobody_their_rights(studio):
    server, anna, _ = studio

    def as_x(connection):
        peer = RawPeer(connection, identity=b"x")
        peer.say(Ping())
        peer.heard()
        return peer

    with as_x(server.connection):
        pass
    time.sleep(0.3)
    with as_x(anna) as hers:
        hers.socket.send_multipart([b"SPB1", b'{"kind":"ReleaseDevice"}'])
        assert hers.heard().code == "FORBIDDEN"


def test_what_is_said_of_one_user_goes_before_what_is_said_of_all():
    allowances = Allowances(UserLimits(connections=2), {"farm": UserLimits(connections=9)})
    allowances.refuse_more_connections("farm", 9)
    allowances.refuse_more_connections("local", 400)
    with pytest.raises(BusyError, match="connected 2 times"):
        allowances.refuse_more_connections("anna", 3)


def test_limits_that_let_nobody_do_anything_are_refused_in_words():
    with pytest.raises(BadOptionError, match="'farm' is below 1"):
        ServerConfig(users={"farm": UserLimits(jobs=0)}).check()


INTRUDER = """
import os, sys
import spade_core.contract.transport
from spade_core.contract.client import Client
from spade_core.contract.errors import SpadeError
os.setgroups([]), os.setgid(int(sys.argv[1])), os.setuid(int(sys.argv[1]))  # the interpreter may lie in root's home
for address in sys.argv[2:]:
    with Client.at(address) as client:
        for call in (client.status, client.drain):
            try:
                print("LET IN", call(timeout_s=3))
            except SpadeError as error:
                print(error.code)
"""


@pytest.mark.skipif(sys.platform == "win32" or os.getuid() != 0, reason="starts a process of another user")
def test_another_user_of_this_machine_gets_no_word_in_and_reads_no_key(tmp_path):
    import pwd

    nobody = pwd.getpwnam("nobody").pw_uid
    with RunningServer(tmp_path / "mine") as server:
        addresses = [server.connection.address, server.connection.control_address]
        told = subprocess.run(
            [sys.executable, "-c", INTRUDER, str(nobody), *addresses],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert told.stdout.split() == ["FORBIDDEN"] * 4, told.stderr
        assert server.process.poll() is None and len(server.status().pids) == 2
        secrets = [server.file, *(tmp_path / "state").rglob("*.json")]
        assert len(secrets) >= 3
        for secret in secrets:
            read = subprocess.run(["cat", str(secret)], user=nobody, group=nobody, capture_output=True)
            assert read.returncode != 0 and not read.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG")
def test_a_worker_that_is_stopped_does_not_outlive_a_broker_that_is_killed(tmp_path):
    with RunningServer(tmp_path) as server:
        worker = next(pid for pid in server.status().pids if pid != server.process.pid)
        os.kill(worker, signal.SIGSTOP)
        server.process.kill()
        server.process.wait()
        end = time.monotonic() + 3
        while process_exists(worker) and time.monotonic() < end:
            time.sleep(0.05)
        assert not process_exists(worker)
