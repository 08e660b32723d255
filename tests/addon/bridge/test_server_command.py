# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding the server: its program by what the user wrote, and one that runs already."""

from __future__ import annotations

import os
import sys

import pytest
from spade_backdrops.bridge.server_command import find_command, running_server
from spade_backdrops.contract.errors import UnavailableError


def test_a_command_that_does_not_exist_is_one_sentence_and_a_fix():
    with pytest.raises(UnavailableError) as refused:
        find_command("/nowhere/spade-server")
    assert "/nowhere/spade-server" in refused.value.message
    assert "Server Command" in refused.value.fix


def test_a_folder_without_a_server_is_one_sentence_and_a_fix(tmp_path):
    with pytest.raises(UnavailableError, match="no environment that has the server") as refused:
        find_command(str(tmp_path))
    assert "Server Command" in refused.value.fix


def test_a_command_with_an_open_quote_is_one_sentence_and_a_fix():
    with pytest.raises(UnavailableError):
        find_command('"spade-server')


def test_without_a_preference_the_server_is_looked_for_on_the_path(tmp_path, monkeypatch):
    program = tmp_path / "spade-server"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_command("") == (str(program),)


def test_a_server_that_is_nowhere_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(UnavailableError) as refused:
        find_command("  ")
    assert "Server Command" in refused.value.fix


def test_the_folder_of_an_environment_is_enough(tmp_path):
    program = tmp_path / "Größe ñ" / ("Scripts" if os.name == "nt" else "bin") / "spade-server"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert find_command(str(tmp_path / "Größe ñ")) == (str(program),)


def test_a_python_is_asked_to_run_the_server():
    assert find_command(sys.executable) == (sys.executable, "-P", "-m", "spade_server")


def test_arguments_of_a_command_are_kept():
    assert find_command(f"{sys.executable} -m server --threads 2")[1:] == ("-m", "server", "--threads", "2")


def test_a_connection_file_of_a_dead_server_is_not_believed(tmp_path):
    file = tmp_path / "server.json"
    assert not running_server(file)
    file.write_text('{"pid": 4000000, "address": "tcp://127.0.0.1:1", "control_address": ""}')
    assert not running_server(file)
    file.write_text("{not json")
    assert not running_server(file)
