# SPDX-License-Identifier: Apache-2.0
import json
import os
import stat
import subprocess
import sys

import pytest

from spade_core.contract.connection import (
    ConnectionInfo,
    default_connection_file,
    process_is_alive,
    read_connection_file,
    write_connection_file,
)
from spade_core.contract.errors import UnavailableError

HERE = ConnectionInfo("tcp://127.0.0.1:5555", "tcp://127.0.0.1:5556", 42)


def test_a_connection_file_says_where_the_server_is(tmp_path):
    path = tmp_path / "née 木" / "server.json"
    write_connection_file(path, HERE)
    assert read_connection_file(path) == HERE
    assert os.listdir(path.parent) == ["server.json"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_a_connection_file_is_for_its_owner_alone(tmp_path):
    path = tmp_path / "server.json"
    path.write_text("older")
    path.chmod(0o666)
    write_connection_file(path, HERE)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("text", ["", "{", "[]", '{"address": 1}', "null", "\x00"])
def test_a_file_that_announces_nothing_says_how_to_start_a_server(tmp_path, text):
    path = tmp_path / "server.json"
    path.write_text(text)
    with pytest.raises(UnavailableError, match="spade-server"):
        read_connection_file(path)


def test_a_missing_file_says_how_to_start_a_server(tmp_path):
    with pytest.raises(UnavailableError, match="spade-server"):
        read_connection_file(tmp_path / "nothing.json")


def test_a_server_of_another_protocol_is_not_talked_to(tmp_path):
    path = tmp_path / "server.json"
    path.write_text(json.dumps({"address": "a", "control_address": "b", "pid": 1, "protocol": "SPB7"}))
    with pytest.raises(UnavailableError, match="SPB7"):
        read_connection_file(path)


def test_fields_of_a_newer_release_are_ignored(tmp_path):
    path = tmp_path / "server.json"
    path.write_text(json.dumps({"address": "a", "control_address": "b", "pid": 1, "colour": "blue"}))
    assert read_connection_file(path).address == "a"


def test_a_process_is_alive_until_it_has_ended():
    assert process_is_alive(os.getpid())
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    assert not process_is_alive(ended.pid)


def test_each_user_has_a_default_place():
    assert default_connection_file().name == "server.json"
