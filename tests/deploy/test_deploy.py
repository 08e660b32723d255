# SPDX-License-Identifier: Apache-2.0
"""The files that put a server on a machine: judged by the tools that will read them, where those are here."""

import json
import os
import re
import shutil
import socket
import subprocess

import pytest
import yaml

from server.config_file import read_config
from spade_core.contract.request import PictureRequest
from tests.server.running import ROOT, RunningServer
from tests.server.test_watching import told
from tests.server.trivial import SLOW

DEPLOY = ROOT / "deploy"
UNIT = DEPLOY / "spade-backdrops.service"
needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


@pytest.fixture
def unit(tmp_path):
    """The unit, with a program that is there on this machine."""
    file = tmp_path / UNIT.name
    file.write_text(UNIT.read_text().replace("/opt/spade-backdrops/bin/spade-server", "/bin/true"))
    return file


@needs_systemd
def test_systemd_finds_nothing_wrong_with_the_unit(unit):
    judged = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, timeout=60)
    assert judged.returncode == 0 and judged.stderr == ""


@needs_systemd
def test_systemd_calls_the_units_exposure_ok(unit):
    words = ["systemd-analyze", "security", "--offline=true", "--threshold=25", unit]
    judged = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert judged.returncode == 0, judged.stdout[-2000:]


@pytest.mark.skipif(shutil.which("systemd-sysusers") is None, reason="systemd-sysusers is not installed")
def test_systemd_makes_the_user_that_the_unit_names():
    file = DEPLOY / "spade-backdrops.sysusers"
    words = ["systemd-sysusers", "--dry-run", file]
    judged = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert judged.returncode == 0, judged.stderr
    assert "User=spade\n" in UNIT.read_text() and re.search(r"^u spade ", file.read_text(), re.MULTILINE)


def test_the_units_command_is_understood_and_its_configuration_valid():
    command = re.search(r"^ExecStart=(.*)$", UNIT.read_text(), re.MULTILINE)
    assert command
    words = command[1].split()[1:]
    assert words[0] == "--config"
    read_config(DEPLOY / "server.toml").check()


class Manager:
    """What systemd is to a service of Type=notify: a datagram socket."""

    def __init__(self, folder):
        self.address = str(folder / "notify")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.address)
        self._socket.settimeout(20)

    def heard_until(self, word):
        heard = []
        while word not in heard:
            heard += self._socket.recv(4096).decode().splitlines()
        return heard

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()


def test_the_service_manager_hears_when_it_is_ready_that_it_lives_and_that_it_leaves(
    tmp_path, monkeypatch, landscape, label_map
):
    with Manager(tmp_path) as manager:
        monkeypatch.setenv("NOTIFY_SOCKET", manager.address)
        monkeypatch.setenv("WATCHDOG_USEC", "1000000")
        with RunningServer(tmp_path / "server", wait=False) as server, server.client() as client:
            before = manager.heard_until("READY=1")
            assert before[0].startswith("STATUS=warming")
            assert server.status().state == "ready"
            manager.heard_until("WATCHDOG=1")
            client.submit(PictureRequest(label_map, landscape, seed=SLOW + 1500))
            server.wait_for(lambda status: status.running == 1)
            manager.heard_until("STATUS=ready, 1 running, 0 waiting")
            server.process.terminate()
            manager.heard_until("STOPPING=1")
            assert server.process.wait(15) == 0


def test_a_service_manager_that_went_away_ends_nothing(tmp_path, monkeypatch, landscape, label_map):
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    with RunningServer(tmp_path) as server, server.client() as client:
        assert client.generate(PictureRequest(label_map, landscape)).rgb.shape == (64, 96, 3)


def test_what_a_container_starts_is_understood_and_its_health_check_too(tmp_path):
    lines = (DEPLOY / "Containerfile").read_text()
    command = re.search(r"^CMD (\[.*\])$", lines, re.MULTILINE)
    assert command
    words = re.findall(r'"([^"]+)"', command[1])
    shown = told("config", "--config", os.devnull, *words)
    assert shown.returncode == 0 and 'bind = "tcp://0.0.0.0:5570"' in shown.stdout
    health = told("status", env=os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)})
    assert health.returncode == 6  # nobody answers there


def test_compose_files_name_what_is_there():
    base, gpu = (yaml.safe_load((DEPLOY / name).read_text()) for name in ("compose.yaml", "compose.gpu.yaml"))
    service = base["services"]["spade"]
    assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
    assert {volume.partition(":")[0] for volume in service["volumes"]} == set(base["volumes"])
    assert set(gpu["services"]) == set(base["services"])
    arguments = re.findall(r"^ARG (\w+)", (DEPLOY / "Containerfile").read_text(), re.MULTILINE)
    assert set(gpu["services"]["spade"]["build"]["args"]) <= set(arguments)


def test_an_image_is_built_from_all_that_a_wheel_needs_and_nothing_else():
    kept = re.findall(r"^!(.*)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    assert all((ROOT / name).exists() for name in kept)
    assert {"pyproject.toml", "setup.py", "spade_core", "server", "constraints.txt"} <= set(kept)
    package = (ROOT / "pyproject.toml").read_text()
    for name in re.findall(r'"(LICENSE|blender_addon/LICENSE|docs/package\.md)"', package):
        assert name in kept


def test_a_key_can_be_printed_for_another_user_to_keep(tmp_path):
    words = ("keys", "new", "anna", "--address", "tcp://studio-box:5570", "-o", "-")
    made = told(*words, env=os.environ | {"XDG_STATE_HOME": str(tmp_path)})
    assert made.returncode == 0 and json.loads(made.stdout)["user"] == "anna"
