# SPDX-License-Identifier: Apache-2.0
"""Setting up: what is found, what is refused, and in which words."""

import ast
import subprocess
import sys
import time
from pathlib import Path

import pytest

from build_steps import environments, interpreters, pip, processes
from build_steps.console import BuildError
from build_steps.environments import ROOT


@pytest.mark.parametrize(
    "file", [ROOT / "build.py", *sorted((ROOT / "build_steps").glob("*.py"))], ids=lambda f: f.name
)
def test_build_py_needs_nothing_installed(file):
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
        else:
            continue
        assert {name.split(".")[0] for name in names} <= sys.stdlib_module_names | {"build_steps"}


def test_build_py_parses_on_old_pythons_so_that_they_can_say_what_is_wrong():
    ast.parse((ROOT / "build.py").read_text(encoding="utf-8"), feature_version=(3, 4))


def test_help_names_every_command_and_needs_no_environment():
    asked = subprocess.run([sys.executable, ROOT / "build.py", "--help"], capture_output=True, text=True)
    assert asked.returncode == 0
    assert all(name in asked.stdout for name in ("setup", "demo", "test", "check", "addon", "stage"))


def test_the_best_python_is_the_one_that_blender_has_a_module_for(monkeypatch):
    monkeypatch.setattr(interpreters, "find", {(3, 12): Path("p12"), (3, 13): Path("p13")}.get)
    assert interpreters.best() == ((3, 13), Path("p13"))


def test_no_supported_python_is_said_with_the_versions_that_are(monkeypatch):
    monkeypatch.setattr(interpreters, "find", lambda version: None)
    with pytest.raises(BuildError, match=r"3\.11, 3\.12 or 3\.13.*Install Python 3\.11"):
        interpreters.best()


def test_something_that_only_calls_itself_a_python_is_not_taken(tmp_path):
    shim = tmp_path / "python3.13"
    shim.write_text("#!/bin/sh\necho 'command not found' >&2\nexit 127\n")
    shim.chmod(0o755)
    assert not interpreters.works(str(shim), (3, 13))
    assert not interpreters.works(str(tmp_path / "missing"), (3, 13))
    assert not interpreters.works(sys.executable, (3, 10))


def test_a_full_disk_is_noticed_before_anything_is_downloaded(monkeypatch):
    monkeypatch.setattr(environments.shutil, "disk_usage", lambda place: type("Disk", (), {"free": 2e9})())
    with pytest.raises(BuildError, match=r"2\.0 GB free, 5 GB needed"):
        environments._need_space(5)


def test_a_folder_that_is_no_environment_is_never_deleted(tmp_path):
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "thesis.txt").write_text("precious")
    with pytest.raises(BuildError, match="in the way"):
        environments._make(tmp_path / ".venv", (3, 11), Path(sys.executable), "main")
    assert (tmp_path / ".venv" / "thesis.txt").read_text() == "precious"


def test_an_environment_is_set_up_again_only_when_its_pins_have_changed(tmp_path, monkeypatch):
    folder = tmp_path / ".venv"
    python = environments.Environment(folder, (3, 11)).python
    python.parent.mkdir(parents=True)
    python.touch()
    key = environments._key((3, 11), ["x"])
    (folder / "spade-setup.json").write_text(f'{{"key": "{key}", "blender": "4.5.15", "no_blender": ""}}')
    assert environments._stamped(folder, (3, 11), key).blender == "4.5.15"
    pins = tmp_path / "constraints.txt"
    pins.write_text("torch==0\n")
    monkeypatch.setattr(environments, "CONSTRAINTS", pins)
    assert environments._stamped(folder, (3, 11), environments._key((3, 11), ["x"])) is None


def test_every_python_with_a_blender_finds_its_pin():
    assert environments._blender_requirement((3, 11)).startswith("bpy==4.5.")
    assert environments._blender_requirement((3, 13)).startswith("bpy==5.2.")
    assert environments._blender_requirement((3, 12)) is None


NO_NETWORK = """WARNING: Retrying (Retry(total=4)) after connection broken by 'NewConnectionError(...)'
ERROR: Could not find a version that satisfies the requirement torch (from versions: none)
ERROR: No matching distribution found for torch"""
NO_WHEEL = """ERROR: Could not find a version that satisfies the requirement bpy==4.5.15 (from versions: 4.2)
ERROR: No matching distribution found for bpy==4.5.15"""


@pytest.mark.parametrize(
    "output, words",
    [
        (NO_NETWORK, "cannot be reached"),
        (NO_WHEEL, "no bpy==4.5.15 for this Python and platform"),
        (
            "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
            "disk filled up",
        ),
        ("ERROR: something new\nERROR: and strange", "pip says: and strange"),
    ],
)
def test_pips_failure_is_told_in_one_sentence(output, words, tmp_path):
    failure = pip.explain(output, "the packages", tmp_path / "setup.log")
    assert words in failure.message and failure.fix
    assert failure.has_no_wheel == (output is NO_WHEEL)


def test_without_a_network_pip_is_told_to_have_failed_and_not_to_have_found_nothing(tmp_path):
    """The real pip against an index where nothing listens."""
    index = ["--index-url", "http://127.0.0.1:9/simple", "--retries", "1", "--no-cache-dir", "--isolated"]
    command = [sys.executable, "-m", "pip", "download", *index, "spade-backdrops-no-such-package"]
    code, output = processes.run_logged(command, tmp_path / "log")
    assert code != 0
    assert "cannot be reached" in pip.explain(output, "the packages", tmp_path / "log").message


@pytest.mark.skipif(sys.platform == "win32", reason="process groups are POSIX")
def test_a_test_process_that_hangs_is_ended_with_all_it_started(tmp_path):
    pids = tmp_path / "pids"
    child = f"import os, time; open({str(pids)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    code = processes.run_with_hard_limit([sys.executable, "-c", parent], 2.0, {}, tmp_path)
    assert code is None
    deadline = time.monotonic() + 5
    while Path(f"/proc/{pids.read_text()}/cwd").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
