# SPDX-License-Identifier: Apache-2.0
"""A disk that is soon full, and the real command run on it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

MOUNT, UNMOUNT = (shutil.which(name) or name for name in ("mount", "umount"))  # tests change the PATH


@contextlib.contextmanager
def small_disk(place: Path, kilobytes: int) -> Iterator[Path]:
    """A file system of so many kilobytes in memory; the test is skipped where none may be mounted."""
    place.mkdir()
    mount = [MOUNT, "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(place)]
    if sys.platform != "linux" or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a file system can be mounted here by nobody but the administrator of a Linux")
    try:
        yield place
    finally:
        subprocess.run([UNMOUNT, str(place)], check=True)


def grown(place: Path, kilobytes: int) -> None:
    """The same disk, larger."""
    subprocess.run([MOUNT, "-o", f"remount,size={kilobytes}k", str(place)], check=True)


def command(*words: object, **options) -> subprocess.CompletedProcess[str]:
    """`spade WORDS` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "spade_core.cli", *map(str, words)],
        capture_output=True, text=True, encoding="utf-8", timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"}, **options,
    )  # fmt: skip


def assert_told_full(ended: subprocess.CompletedProcess[str]) -> None:
    """Exit code 2, and a sentence with its remedy at the end."""
    *_, said, fix = ended.stderr.splitlines()
    assert ended.returncode == 2 and "Traceback" not in ended.stderr, ended.stderr
    assert said.startswith("error: ") and "no space left" in said
    assert fix.startswith("  fix: Free some space")
