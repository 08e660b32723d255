# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to the server: real servers, started, found, killed and missing."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from spade_backdrops.bridge.connection import Connection, ConnectionState, ServerTarget
from spade_backdrops.bridge.server_command import find_command
from spade_backdrops.bridge.server_process import ServerLaunch

from tests.addon.serving import PYTHON, SYNTHESIZER, command, until


@pytest.fixture
def connection():
    connection = Connection()
    yield connection
    connection.close()


def local(folder: Path, words: str = "") -> ServerTarget:
    def config() -> ServerLaunch:
        return ServerLaunch(find_command(words or command()), folder, os.getpid())

    return ServerTarget(server=config, shared_connection_file=folder / "shared.json")


def test_a_local_server_is_started_when_none_runs_and_stopped_by_close(connection, tmp_path):
    connection.open(local(tmp_path / "Größe"))
    assert connection.state is ConnectionState.STARTING
    until(lambda: connection.state is ConnectionState.READY, connection.step)
    assert connection.model_named("landscape") is not None
    process = connection.server
    connection.close()
    assert connection.state is ConnectionState.OFF and not process.is_running


def test_a_server_the_user_runs_is_used_and_left_alone(connection, tmp_path):
    shared = tmp_path / "shared.json"
    words = [PYTHON, "-m", "server", "--synthesizer", SYNTHESIZER, "--connection-file", str(shared)]
    with subprocess.Popen(words) as his:
        try:
            until(shared.exists, lambda: None)
            connection.open(local(tmp_path))
            until(lambda: connection.state is ConnectionState.READY, connection.step)
            assert connection.server is None
            connection.close()
            assert his.poll() is None
        finally:
            his.terminate()


def test_a_server_that_cannot_start_is_quoted(connection, tmp_path):
    connection.open(local(tmp_path, command("--bind", "tcp://0.0.0.0:*")))
    until(lambda: connection.state is ConnectionState.LOST, connection.step)
    assert "exit code 2" in connection.error.message
    assert connection.console().strip()


def test_an_address_where_nobody_answers_is_one_sentence_and_a_fix():
    connection = Connection(silence_s=1.0)
    connection.open(ServerTarget(address="tcp://127.0.0.1:9"))
    until(lambda: connection.state is ConnectionState.LOST, connection.step)
    assert "tcp://127.0.0.1:9" in connection.error.message and connection.error.fix
    connection.close()


def test_an_address_that_is_none_is_one_sentence(connection):
    connection.open(ServerTarget(address="nonsense"))
    assert connection.state is ConnectionState.LOST and connection.error.fix


def test_a_server_that_is_killed_is_started_again_where_it_was(connection, tmp_path):
    connection.open(local(tmp_path))
    until(lambda: connection.state is ConnectionState.READY, connection.step)
    address = connection.client.address
    first = connection.server.pid
    os.kill(first, signal.SIGKILL)
    until(lambda: connection.server.pid != first, connection.step)
    until(lambda: connection.state is ConnectionState.READY, connection.step)
    assert connection.client.address == address
    assert connection.client.status().state == "ready"


def test_closing_twice_is_no_error(connection, tmp_path):
    connection.open(local(tmp_path))
    connection.close()
    connection.close()
    assert connection.step() == []
