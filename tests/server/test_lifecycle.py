# SPDX-License-Identifier: Apache-2.0
"""How a server comes and goes."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time

import pytest

from server.command_line import parse
from server.keys import KeyStore
from server.security import refuse_open_address
from spade_core.contract.client import Client
from spade_core.contract.errors import BadOptionError, ForbiddenError
from spade_core.contract.messages import Failed, Finished, GoAway, Submit
from spade_core.contract.request import PictureRequest
from spade_core.runtime import physical_cores
from tests.server.running import ROOT, TRIVIAL, RawPeer, RunningServer, process_exists
from tests.server.trivial import SLOW


def start(*options):
    return subprocess.run(
        [sys.executable, "-m", "server", *options], cwd=ROOT, capture_output=True, text=True, timeout=30
    )


def test_the_connection_file_is_private_and_goes_with_the_server(tmp_path):
    with RunningServer(tmp_path) as server:
        assert stat.S_IMODE(server.file.stat().st_mode) == 0o600
        said = json.loads(server.file.read_text())
        assert (
            said["pid"] == server.process.pid
            and said["protocol"] == "SPB1"
            and len(said["client_secret"]) == 40
        )
        workers = server.status().pids
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(10) == 0
        assert not server.file.exists() and not any(map(process_exists, workers))
        assert "Traceback" not in server.console and "Stopped." in server.console


def test_sigterm_drains(tmp_path, landscape, label_map):
    with RunningServer(tmp_path) as server, server.client() as client:
        jobs = [client.submit(PictureRequest(label_map, landscape, seed=seed)) for seed in (SLOW + 2000, 5)]
        server.wait_for(lambda status: status.running == 1 and status.queued == 1)
        server.process.terminate()
        server.wait_for(lambda status: status.state == "draining")
        with RawPeer(server.connection) as newcomer:
            job = Submit("a" * 32, "b" * 32, "landscape", landscape.digest, 0, (64, 64), "uint8", 4096)
            newcomer.say(job, bytes(4096))
            assert newcomer.heard().code == "DRAINING"
        done, told, end = [], False, time.monotonic() + 10
        while client.live and time.monotonic() < end:
            for event in client.poll(50):
                done += [event.id] if isinstance(event, Finished) else []
                told |= isinstance(event, GoAway)
        assert done == jobs and told
        assert server.process.wait(10) == 0


def test_the_second_signal_does_not_wait(tmp_path, landscape, label_map):
    with RunningServer(tmp_path) as server, server.client() as client:
        job = client.submit(PictureRequest(label_map, landscape, seed=SLOW + 60_000))
        server.wait_for(lambda status: status.running == 1)
        server.process.terminate()
        server.wait_for(lambda status: status.state == "draining")
        server.process.terminate()
        assert server.process.wait(5) == 0
        events = client.poll(1000)
        assert any(getattr(event, "id", "") == job for event in events)


def test_the_control_socket_drains_too(tmp_path):
    with RunningServer(tmp_path) as server:
        with Client.control_of(server.file) as control:
            assert control.drain().deadline_ms > 0
        assert server.process.wait(10) == 0


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_the_server_leaves_when_its_parent_is_gone(tmp_path, how):
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as parent:
        with RunningServer(tmp_path, "--parent-pid", str(parent.pid)) as server:
            pids = server.status().pids
            parent.send_signal(how)
            assert server.process.wait(5) == 0
            assert not server.file.exists() and not any(map(process_exists, pids[1:]))


def test_workers_leave_when_the_broker_is_killed(tmp_path):
    with RunningServer(tmp_path) as server:
        worker = server.status().pids[1]
        server.process.kill()
        server.process.wait()
        end = time.monotonic() + 5
        while process_exists(worker) and time.monotonic() < end:
            time.sleep(0.05)
        assert not process_exists(worker)


def test_a_client_survives_the_restart_of_its_server(tmp_path, landscape, label_map):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    bind = ("--bind", f"tcp://127.0.0.1:{port}")
    with RunningServer(tmp_path, *bind) as first:
        with first.client() as client:
            job = client.submit(PictureRequest(label_map, landscape, seed=SLOW + 1500))
            first.wait_for(lambda status: status.running == 1)
            first.process.kill()
            first.process.wait()
            first.file.unlink()
            with RunningServer(tmp_path, *bind, wait=False):
                ends, end = [], time.monotonic() + 20
                while not ends and time.monotonic() < end:
                    ends = [event for event in client.poll(100) if isinstance(event, Finished | Failed)]
    assert [(type(event), event.id) for event in ends] == [(Finished, job)]


def test_two_servers_never_clash(tmp_path, landscape, label_map):
    with RunningServer(tmp_path / "a") as one, RunningServer(tmp_path / "b") as other:
        assert one.connection.address != other.connection.address
        for server in (one, other):
            with server.client() as client:
                assert client.generate(PictureRequest(label_map, landscape)).rgb.shape == (64, 96, 3)


@pytest.mark.parametrize(
    "bind",
    ["tcp://*:5555", "tcp://0.0.0.0:5555", "tcp://192.168.1.7:5555", "tcp://localhost:5555", "tcp://example.org:1",
     "ipc:///tmp/x", "127.0.0.1:5555", "tcp://127.0.0.1", "tcp://999.0.0.1:1", "tcp://127.0.0.1:5555;tcp://*:1"],
)  # fmt: skip
def test_an_address_open_to_others_is_refused_while_nobody_has_a_key(bind, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with pytest.raises((ForbiddenError, BadOptionError)) as refused:
        refuse_open_address(bind, KeyStore())
    assert "127.0.0.1" in refused.value.fix


def test_starting_it_wrongly_gives_a_sentence_and_exit_code_2(tmp_path):
    file = ("--connection-file", str(tmp_path / "server.json"))
    opened = start("--bind", "tcp://0.0.0.0:5555", *file)
    assert opened.returncode == 2 and "other machines" in opened.stderr and "127.0.0.1" in opened.stderr
    (tmp_path / "file").touch()
    unwritable = start("--synthesizer", TRIVIAL, "--connection-file", str(tmp_path / "file" / "server.json"))
    assert unwritable.returncode == 2 and "--connection-file" in unwritable.stderr
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        clash = start("--bind", f"tcp://127.0.0.1:{taken.getsockname()[1]}", *file)
    assert clash.returncode == 2 and "another port" in clash.stderr
    unknown = start("--colour", "blue")
    assert unknown.returncode == 2
    for run in (opened, unwritable, clash, unknown):
        assert "Traceback" not in run.stderr
    for run in (opened, unwritable, clash):
        first, second = run.stderr.splitlines()
        assert first.startswith("error: ") and second.startswith("  fix: ")
    assert os.listdir(tmp_path) == ["file"]


def test_what_only_tests_need_is_taken_and_not_in_the_help(capsys):
    assert parse(["--synthesizer", TRIVIAL, "--threads", "3"]).synthesizer == TRIVIAL
    assert parse(["--threads", "3"]).threads == 3
    with pytest.raises(SystemExit) as left:
        parse(["--help"])
    told = capsys.readouterr().out
    assert left.value.code == 0 and "--threads" in told and "synthesizer" not in told.lower()


def test_cores_are_counted_without_their_threads():
    assert 1 <= physical_cores() <= (os.cpu_count() or 1)
