# SPDX-License-Identifier: Apache-2.0
"""An installed extension in a Blender with a window, and a server that it reaches.

Needs Xvfb, xdotool, and in SPADE_GUI_BLENDER the command that starts a Blender of 5.1 or later with a window; see
docs/architecture.md. SPADE_GUI_SERVER: how the server is started, by default with a model that answers at once.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.window.blender_window import BlenderWindow, install, surroundings

ROOT = Path(__file__).resolve().parents[2]
BLENDER = os.environ.get("SPADE_GUI_BLENDER", "")
SERVER = os.environ.get("SPADE_GUI_SERVER", "--synthesizer tests.server.trivial:TrivialSynthesizer")

_servers: list[int] = []


@pytest.fixture(scope="module")
def profile(tmp_path_factory) -> Path:
    """Where this Blender keeps preferences, extensions and keys."""
    if not BLENDER:
        pytest.skip("SPADE_GUI_BLENDER names no Blender with a window")
    if not (shutil.which("Xvfb") and shutil.which("xdotool")):
        pytest.skip("Xvfb and xdotool are needed")
    folder = tmp_path_factory.mktemp("window") / "profile"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def address(profile) -> Iterator[str]:
    """A server that runs already, as it does once it is installed."""
    yield from started_server(profile, SERVER)


def started_server(profile: Path, options: str) -> Iterator[str]:
    """The address of a server with these options, which ends with the iterator."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        found = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    python = os.environ.get("SPADE_SERVER_PYTHON") or str(ROOT / ".venv" / "bin" / "python")
    file = profile.parent / "server.json"
    words = [python, "-m", "server", "--bind", found, "--connection-file", str(file), *shlex.split(options)]
    with open(os.devnull, "wb") as nowhere:
        server = subprocess.Popen(words, cwd=ROOT, env=surroundings(profile), stdout=nowhere, stderr=nowhere)
    _servers.append(server.pid)
    yield found
    _servers.remove(server.pid)
    server.terminate()
    server.wait(30)


@contextmanager
def painting_held() -> Iterator[None]:
    """The servers' workers stand still, so that what is painted stays so, however fast they are.

    For a few seconds: then the server takes them for hung, and has others paint.
    """
    found = subprocess.run(
        ["pgrep", "-P", ",".join(map(str, _servers))], capture_output=True, text=True, check=True
    )
    workers = [int(pid) for pid in found.stdout.split()]
    try:
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in workers:
            with suppress(ProcessLookupError):  # a job that was cancelled may have cost its worker
                os.kill(pid, signal.SIGCONT)


@pytest.fixture(scope="module")
def window(profile, address) -> Iterator[BlenderWindow]:
    install(BLENDER, profile, Path(shutil.copy(newest_zip(), profile.parent)), address)
    shown = BlenderWindow(BLENDER, profile, profile.parent)
    yield shown
    shown.close()


def newest_zip() -> Path:
    found = sorted((ROOT / "dist").glob("spade_backdrops-*-abi3.zip"), key=lambda file: file.stat().st_mtime)
    sources = (file for file in (ROOT / "blender_addon").rglob("*.*") if "__pycache__" not in file.parts)
    if not found or found[-1].stat().st_mtime < max(file.stat().st_mtime for file in sources):
        pytest.fail("dist/ has no zip of these sources: run `python build.py addon` first", pytrace=False)
    return found[-1]
