# SPDX-License-Identifier: GPL-3.0-or-later
"""A real server for the add-on's tests, with a generator that answers at once in the network's place."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# The Blender under test may live in an environment without torch: build.py says where the server's Python is.
PYTHON = os.environ.get("SPADE_SERVER_PYTHON") or str(ROOT / ".venv" / "bin" / "python")
SYNTHESIZER = "tests.server.trivial:TrivialSynthesizer"


def command(*extra: str, synthesizer: str = SYNTHESIZER) -> str:
    """What a user would write as the server command."""
    return " ".join((PYTHON, "-m", "server", "--synthesizer", synthesizer, *extra))


def painting_command() -> str:
    """A server with the embedded model, which paints small and enlarges."""
    return f"{PYTHON} -m server"


def renew_session() -> None:
    """End the add-on's session with its server, and begin another one: no test inherits the jobs of the one before."""
    from spade_backdrops import session, timer

    timer.unregister()
    session.unregister()
    session.register()


def until(condition: Callable[[], object], step: Callable[[], object], seconds: float = 30.0) -> None:
    """Call `step` until `condition` holds; the timer that does it in the GUI never fires in the module."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"it did not come in {seconds:.0f} s"
        step()
        time.sleep(0.005)
