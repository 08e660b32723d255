# SPDX-License-Identifier: Apache-2.0
"""Finding the Pythons of this machine that can make an environment."""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from .console import BuildError

Version = tuple[int, int]

BEST_FIRST: tuple[Version, ...] = ((3, 11), (3, 13), (3, 12))  # Blender comes for 3.11 and 3.13, not for 3.12
PROBE = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2], sys.maxsize > 2**32)"


def candidates(version: Version) -> Iterator[str]:
    """Places where a Python of this version may be, the likeliest first."""
    name = "python{}.{}".format(*version)
    if sys.version_info[:2] == version:
        # inside a virtual environment: the Python it was made from, so that ours does not hang on another's
        yield getattr(sys, "_base_executable", None) or sys.executable
    if found := shutil.which(name):
        yield found
    home = Path.home()
    dotted = "{}.{}".format(*version)
    yield from sorted(glob.glob(str(home / f".pyenv/versions/{dotted}*/bin/{name}")), reverse=True)
    yield from sorted(
        glob.glob(str(home / f".local/share/uv/python/cpython-{dotted}*/bin/{name}")), reverse=True
    )
    yield from (f"/usr/bin/{name}", f"/usr/local/bin/{name}", f"/opt/homebrew/bin/{name}")
    if os.name == "nt" and shutil.which("py"):
        asked = subprocess.run(
            ["py", f"-{dotted}", "-c", "import sys; print(sys.executable)"], capture_output=True, text=True
        )
        if asked.returncode == 0:
            yield asked.stdout.strip()


def works(python: str, version: Version) -> bool:
    """Whether this really is that Python, 64 bit, and can make environments (a pyenv shim may be neither)."""
    try:
        asked = subprocess.run([python, "-I", "-c", PROBE], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0 and asked.stdout.split() == ["{}.{}".format(*version), "True"]


def find(version: Version) -> Path | None:
    """The first working Python of this version, or None."""
    return next((Path(python) for python in candidates(version) if works(python, version)), None)


def best() -> tuple[Version, Path]:
    """The Python for the main environment.

    Raises BuildError where this machine has none of the supported versions.
    """
    for version in BEST_FIRST:
        if python := find(version):
            return version, python
    raise BuildError(
        "No Python 3.11, 3.12 or 3.13 here can make a virtual environment.",
        "Install Python 3.11 with its venv module (on Debian and Ubuntu: python3.11 and python3.11-venv).",
    )
