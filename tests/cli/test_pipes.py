# SPDX-License-Identifier: Apache-2.0
"""Where the command's output goes to nobody, and where it finds no room."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from spade_core.contract.version import VERSION

SPADE = f"{sys.executable} -m spade_core.cli"
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="written for a POSIX shell")


def shell(line: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=120)


def test_who_reads_one_line_is_no_error():
    ended = shell(f"{SPADE} labels show ade20k | head -1; exit ${{PIPESTATUS[0]}}")
    assert (ended.returncode, ended.stderr) == (0, "") and "name" in ended.stdout


def test_a_closed_output_hides_no_error_and_makes_none():
    ended = shell(f"{SPADE} generate nothere.png -o x.png >&-")
    assert ended.returncode == 2 and "nothere.png" in ended.stderr and "Traceback" not in ended.stderr
    assert shell(f"{SPADE} labels list >&- 2>&-").returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("words", ["labels show ade20k", "labels list", "--version", "model list"])
def test_an_output_without_room_is_said_in_a_sentence(words: str):
    ended = shell(f"{SPADE} {words} > /dev/full")
    assert ended.returncode == 2 and "should not happen" not in ended.stderr
    assert (
        "No space left" in ended.stderr
        and "Traceback" not in ended.stderr
        and "Exception" not in ended.stderr
    )


def test_the_version_is_said(spade):
    ended = spade("--version")
    assert (ended.code, ended.out.strip()) == (0, f"spade {VERSION}")
