# SPDX-License-Identifier: GPL-3.0-or-later
"""Another Blender in the background, started from the one that the user works in, which it does not outlive."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy

from ..bridge.server_process import own_group
from ..contract import errors
from ..contract.errors import InternalError, SpadeError, UnavailableError

_PACKAGE = Path(__file__).parents[1]


class BackgroundBlender:
    """One process, from its start to its end: a line of JSON is said and answered at a time. Only `close` waits."""

    def __init__(
        self,
        main: Path,
        words: dict[str, Any],
        folder: Path,
        hear: Callable[[dict[str, Any]], None],
        fix: str,
    ) -> None:
        """Start `main` with these words, and with the add-on's `package` and the `paths` to import from.

        folder: which must be there, for its console and for a profile of its own: nothing that it starts with may
        change the user's. hear: gets each answer, in a thread of its own. Raises UnavailableError, with this fix.
        """
        self._hear = hear
        self._console = folder / "console.txt"
        self._ended: int | None = None
        words = {"package": str(_PACKAGE), "paths": sys.path, **words}
        try:
            with open(self._console, "wb") as console:
                self._process = subprocess.Popen(
                    _command(main, json.dumps(words)),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=console,
                    env={**os.environ, "BLENDER_USER_RESOURCES": str(folder / "profile")},
                    **own_group(),
                )
        except OSError as problem:
            raise UnavailableError(
                f"A Blender in the background could not be started: {problem.strerror or problem}.", fix
            ) from None
        threading.Thread(target=self._listen, daemon=True, name=f"spade {main.stem}").start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Whether the process is gone; what it said last was heard by then."""
        return self._ended is not None

    def say(self, words: dict[str, Any]) -> None:
        """A line that it reads."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError):  # it has just ended, as has_ended will say
            self._process.stdin.write(json.dumps(words).encode() + b"\n")
            self._process.stdin.flush()

    def stop(self) -> None:
        """End it at once, whatever it does."""
        self._process.kill()

    def close(self) -> None:
        """End it, and wait until it is gone."""
        self.stop()
        self._process.wait()

    def last_words(self) -> str:
        """The last line it printed, for an error message."""
        try:
            lines = self._console.read_text("utf-8", "replace").split("\n")
        except OSError:
            lines = []
        return next((line.strip()[:160] for line in reversed(lines) if line.strip()), "it printed nothing")

    def _listen(self) -> None:
        """Runs in a thread of its own until the process has ended."""
        asked, answers = self._process.stdin, self._process.stdout
        assert asked is not None and answers is not None
        for line in answers:
            if line.startswith(b"{"):  # Blender 5 logs there while it starts
                self._hear(json.loads(line))
        answers.close()
        with contextlib.suppress(OSError):  # something that it did not read any more
            asked.close()
        self._ended = self._process.wait()


def error_in(answer: dict[str, Any]) -> SpadeError:
    """The error that an answer tells of."""
    return getattr(errors, answer["error"], InternalError)(answer["message"], answer["fix"])


def _command(main: Path, words: str) -> list[str]:
    """The user's own Blender without its window, or Python where Blender is a module of it."""
    if not bpy.app.binary_path:
        return [sys.executable, str(main), "--", words]
    quiet = ["--background", "--factory-startup", "--offline-mode", "--disable-autoexec"]
    return [bpy.app.binary_path, *quiet, "--python-exit-code", "1", "--python", str(main), "--", words]
