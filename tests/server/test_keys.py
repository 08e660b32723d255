# SPDX-License-Identifier: Apache-2.0
"""Who is let in: this machine's user without a thought, others by their keys, nobody else."""

import json
import os
import subprocess
import sys
import time

import pytest

from spade_core.contract.client import Client
from spade_core.contract.connection import read_connection_file
from spade_core.contract.errors import ForbiddenError, SpadeError, UnavailableError
from spade_core.contract.keys import Credentials, KeyPair
from spade_core.contract.messages import Ping, ReleaseDevice
from spade_core.contract.request import PictureRequest
from tests.server.running import ROOT, RawPeer, RunningServer
from tests.server.trivial import SLOW


def keys(*words: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "server", "keys", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    """Keys of nobody else."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def studio(tmp_path):
    """A server that listens to every machine, and anna's key file for it."""
    folder = tmp_path / "studio"
    folder.mkdir()
    port = 20000 + os.getpid() % 20000
    made = keys("new", "anna", "--address", f"tcp://127.0.0.1:{port}", "-o", str(tmp_path / "anna.key"))
    assert made.returncode == 0, made.stderr
    with RunningServer(folder, "--bind", f"tcp://0.0.0.0:{port}") as server:
        yield server, tmp_path / "anna.key"


def refused(client: Client, request: PictureRequest) -> tuple[SpadeError, float]:
    """What a client is told, and after how many seconds."""
    began = time.monotonic()
    with pytest.raises(SpadeError) as told:
        client.generate(request, timeout_s=20)
    return told.value, time.monotonic() - began


def test_the_user_of_this_machine_needs_to_set_up_nothing(tmp_path, landscape, label_map):
    with RunningServer(tmp_path) as server:
        for client in (server.client(), Client.at(server.connection.address)):
            with client:
                assert client.generate(PictureRequest(label_map, landscape)).rgb.shape == (64, 96, 3)


def test_without_the_connection_file_nobody_gets_a_word_in_on_this_machine_either(
    tmp_path, landscape, label_map
):
    with RunningServer(tmp_path) as server:
        with Client(server.connection.address, credentials=None) as stranger:
            error, seconds = refused(stranger, PictureRequest(label_map, landscape))
        assert isinstance(error, ForbiddenError) and "without a key" in error.message and seconds < 3
        made_up = Credentials(server.connection.server_key, KeyPair.new())
        with Client(server.connection.address, credentials=made_up) as stranger:
            error, seconds = refused(stranger, PictureRequest(label_map, landscape))
        assert (
            isinstance(error, ForbiddenError) and "does not let this key in" in error.message and seconds < 3
        )
        with (
            Client(server.connection.control_address, credentials=None) as stranger,
            pytest.raises(ForbiddenError),
        ):
            stranger.drain(timeout_s=2)
        assert server.process.poll() is None


@pytest.mark.parametrize(
    "question", [Client.status, Client.fetch_welcome, lambda client: client.fetch_label_set("0" * 64)]
)
def test_a_stranger_is_told_so_whatever_the_question_and_does_not_wait_for_it(tmp_path, question):
    with RunningServer(tmp_path) as server, Client(server.connection.address, credentials=None) as stranger:
        began = time.monotonic()
        with pytest.raises(ForbiddenError, match="without a key"):
            question(stranger)
        assert time.monotonic() - began < 3


def test_whoever_took_the_port_of_a_server_is_not_believed(tmp_path, monkeypatch, landscape, label_map):
    with RunningServer(tmp_path / "true", wait=False) as server:
        kept = server.file.read_text()
        port = server.connection.address
    file = tmp_path / "kept.json"
    file.write_text(kept)
    file.chmod(0o600)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another user"))
    with RunningServer(tmp_path / "false", "--bind", port), Client.from_connection_file(file) as client:
        error, seconds = refused(client, PictureRequest(label_map, landscape))
    assert isinstance(error, ForbiddenError) and "not the one" in error.message and seconds < 3


def test_an_artist_elsewhere_paints_with_her_key_file(studio, landscape, label_map):
    server, file = studio
    assert file.stat().st_mode & 0o777 == 0o600
    with Client.at(str(file)) as anna:
        assert anna.generate(PictureRequest(label_map, landscape)).rgb.shape == (64, 96, 3)


def test_a_revoked_key_is_refused_at_once_while_the_server_runs(studio, landscape, label_map):
    server, file = studio
    with Client.at(str(file)) as anna:
        anna.generate(PictureRequest(label_map, landscape))
        assert keys("revoke", "anna").returncode == 0
        time.sleep(1.2)
        error, seconds = refused(anna, PictureRequest(label_map, landscape, seed=3))
        assert isinstance(error, ForbiddenError) and "revoked" in error.message and seconds < 3
    with Client.at(str(file)) as again:
        error, seconds = refused(again, PictureRequest(label_map, landscape))
        assert isinstance(error, ForbiddenError) and seconds < 3
    with server.client() as own:
        assert own.generate(PictureRequest(label_map, landscape, seed=4)).rgb.shape == (64, 96, 3)


def test_somebody_who_is_allowed_while_the_server_runs_comes_in(studio, landscape, label_map):
    server, file = studio
    pair = KeyPair.new()
    assert keys("allow", "ben", pair.public).returncode == 0
    credentials = Credentials(read_connection_file(file).server_key, pair)
    with Client(server.connection.address, credentials=credentials) as ben:
        assert ben.generate(PictureRequest(label_map, landscape)).rgb.shape == (64, 96, 3)
    listed = keys("list").stdout
    assert pair.public in listed and "ben" in listed and "anna" in listed and pair.secret not in listed


def test_others_can_neither_stop_the_server_nor_take_its_device(studio):
    server, file = studio
    hers = read_connection_file(file)
    with Client(server.connection.control_address, credentials=hers.credentials) as anna:
        with pytest.raises((ForbiddenError, UnavailableError)):
            anna.drain(timeout_s=2)
    with RawPeer(hers) as anna:
        anna.say(ReleaseDevice())
        assert anna.heard().code == "FORBIDDEN"
    assert server.process.poll() is None and len(server.status().pids) == 2


def test_a_server_that_is_started_again_has_the_key_that_its_users_know(tmp_path):
    keys_seen = set()
    for _ in range(2):
        with RunningServer(tmp_path, wait=False) as server:
            said = json.loads(server.file.read_text())
            keys_seen.add((said["server_key"], said["client_secret"]))
    assert len(keys_seen) == 1
    secrets = list((tmp_path / "state").rglob("*.json"))
    assert secrets and all(file.stat().st_mode & 0o077 == 0 for file in secrets)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("new", "Anna Maria", "--address", "tcp://box:1"), "cannot be a user's name"),
        (("new", "local", "--address", "tcp://box:1"), "cannot be a user's name"),
        (("new", "../x", "--address", "tcp://box:1"), "cannot be a user's name"),
        (("allow", "ben", "short"), "no public key"),
        (("revoke", "nobody"), "no key of 'nobody'"),
    ],
)
def test_what_is_no_name_and_no_key_is_refused_in_words(words, says):
    ended = keys(*words)
    assert ended.returncode == 2 and says in ended.stderr and "fix:" in ended.stderr


def test_pings_of_many_strangers_cost_the_others_nothing(tmp_path, landscape, label_map):
    with RunningServer(tmp_path) as server, server.client() as client:
        strangers = [Client(server.connection.address, credentials=None) for _ in range(50)]
        try:
            job = client.submit(PictureRequest(label_map, landscape, seed=SLOW + 500))
            end = time.monotonic() + 10
            while job in client.live and time.monotonic() < end:
                client.poll(20)
            assert job not in client.live
        finally:
            for stranger in strangers:
                stranger.close()
        with RawPeer(server.connection) as peer:
            peer.say(Ping())
            peer.heard()
