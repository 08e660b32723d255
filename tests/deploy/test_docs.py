# SPDX-License-Identifier: Apache-2.0
"""docs/server.md, walked: what a studio's admin types does what is said there, in that order."""

import os
import re
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from tests.server.running import ROOT, TRIVIAL

DOCS = (ROOT / "docs" / "server.md").read_text(encoding="utf-8")
STUDIO = DOCS[DOCS.index("## For a studio") : DOCS.index("## What it is told")]


def commands(section: str) -> list[str]:
    """The lines of its code blocks."""
    blocks = re.findall(r"^```\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in block.splitlines() if line]


@pytest.fixture
def shell(tmp_path):
    """Runs a line of the docs in an empty folder, as a user who has nothing yet, with `sudo` for oneself."""
    programs, home = tmp_path / "bin", tmp_path / "home"
    programs.mkdir()
    home.mkdir()
    made = {
        "sudo": 'while case "$1" in -H|-u|spade) true;; *) false;; esac; do shift; done\nexec "$@"',
        "spade-server": f'exec "{sys.executable}" -m server "$@"',
        "spade": f'exec "{sys.executable}" -m spade_core.cli "$@"',
    }
    for name, script in made.items():
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    port = 21000 + os.getpid() % 20000
    environment = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "HOME": str(home),
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
    }

    def run(line: str, **options):
        line = line.replace("studio-box:5570", f"127.0.0.1:{port}").replace("0.0.0.0:5570", f"0.0.0.0:{port}")
        words = ["sh", "-c", line]
        popen = {"cwd": tmp_path, "env": environment, "text": True} | options
        if "stderr" in options:
            return subprocess.Popen(words, **popen)
        return subprocess.run(words, capture_output=True, timeout=60, **popen)

    return run


def test_two_artists_have_keys_paint_and_leave_as_the_docs_say(tmp_path, shell):
    lines = commands(STUDIO)
    keys = [line for line in lines if "keys new" in line]
    assert len(keys) == 2
    toml = tmp_path / "server.toml"
    text = (ROOT / "deploy" / "server.toml").read_text()
    start = f"exec spade-server --config {toml} --synthesizer {TRIVIAL}"
    toml.write_text(re.sub(r"^metrics-port.*$", "", text, flags=re.MULTILINE))
    refused = shell(start)
    assert refused.returncode == 2 and "keys new" in refused.stderr  # nobody has a key yet
    for line in keys:
        assert shell("umask 077; " + line).returncode == 0
    assert (tmp_path / "anna.key").stat().st_mode & 0o777 == 0o600
    port = re.search(r":(\d+)\"", (tmp_path / "anna.key").read_text())
    assert port
    toml.write_text(toml.read_text().replace(":5570", f":{port[1]}"))
    with (tmp_path / "log").open("w") as log:
        server = shell(start, stderr=log)
    try:
        end = time.monotonic() + 60
        status = next(line for line in lines if line.endswith("spade spade-server status"))
        while (asked := shell(status)).returncode != 0:
            assert time.monotonic() < end and server.poll() is None, (tmp_path / "log").read_text()
            time.sleep(0.2)
        assert "ready" in asked.stdout and f"127.0.0.1:{port[1]}" in asked.stdout
        label_map = np.zeros((64, 64), np.uint8)
        label_map[32:] = 6
        Image.fromarray(label_map).save(tmp_path / "labels.png")
        for line in lines[lines.index("spade-server status --server anna.key") :]:
            done = shell(line)
            assert done.returncode == 0, (line, done.stderr)
        assert (tmp_path / "picture.png").stat().st_size > 0
        for line in re.findall(r"`(sudo -H -u spade spade-server [^`]*)`", STUDIO):
            assert shell(line).returncode == 0, line
        assert shell("spade-server status --server ben.key").returncode == 7
        drained = next(line for line in re.findall(r"`(spade-server drain [^`]*)`", STUDIO))
        assert shell(drained).returncode == 0 and server.wait(10) == 0
    finally:
        if server.poll() is None:
            server.kill()
            server.wait()


def test_every_other_word_of_spade_server_in_the_docs_is_one(shell):
    used = set(re.findall(r"spade-server(?: (?:keys )?[a-z]+)?(?: [^`\n|]*)?", DOCS))
    options = {word for line in used for word in re.findall(r"(?<= )--[a-z][a-z-]+", line)}
    known = "".join(
        shell(f"spade-server {words}").stdout
        for words in (
            "--help-all",
            "keys new --help",
            "status --help",
            "top --help",
            "drain --help",
            "config --help",
        )
    )
    assert options and not [option for option in options if option not in known and option != "--server"]


def test_the_files_that_the_docs_put_in_place_are_there():
    for file in re.findall(r"deploy/[\w.-]+\w", DOCS):
        assert (ROOT / file).is_file(), file
