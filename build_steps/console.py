# SPDX-License-Identifier: Apache-2.0
"""What a person sees while build.py works: one line a step, with the time it takes, and plain errors."""

from __future__ import annotations

import contextlib
import shutil
import sys
import threading
import time
from collections.abc import Iterator


class BuildError(Exception):
    """Something a person can put right: one sentence and the remedy."""

    def __init__(self, message: str, fix: str):
        super().__init__(f"{message} {fix}")
        self.message = message
        self.fix = fix


class Step:
    """One long step on the terminal. `note` says what it is doing right now."""

    FRAMES = "|/-\\"
    QUIET_SECONDS = 20.0  # between two lines where the output is no terminal

    def __init__(self, title: str):
        self.title = title
        self.started = time.monotonic()
        self._note = ""
        self._done = threading.Event()
        self._on_terminal = sys.stdout.isatty()
        self._thread = threading.Thread(target=self._show, daemon=True)

    @property
    def elapsed(self) -> str:
        seconds = time.monotonic() - self.started
        return f"{seconds:.0f} s" if seconds < 60 else f"{seconds // 60:.0f} min {seconds % 60:02.0f} s"

    def note(self, text: str) -> None:
        self._note = text.strip()

    def begin(self) -> None:
        if not self._on_terminal:
            print(f"  ... {self.title}", flush=True)
        self._thread.start()

    def end(self, outcome: str) -> None:
        self._done.set()
        self._thread.join()
        if self._on_terminal:
            print("\r\x1b[K", end="")
        print(f"  {outcome} {self.title} ({self.elapsed})", flush=True)

    def _show(self) -> None:
        frame = 0
        while not self._done.wait(0.12 if self._on_terminal else self.QUIET_SECONDS):
            frame += 1
            line = f"{self.title} ({self.elapsed}) {self._note}"
            if self._on_terminal:
                width = shutil.get_terminal_size().columns - 5
                print(f"\r\x1b[K  {self.FRAMES[frame % 4]} {line[:width]}", end="", flush=True)
            else:
                print(f"      {line[:110]}", flush=True)


@contextlib.contextmanager
def step(title: str) -> Iterator[Step]:
    """Show `title` with a spinner and the elapsed time until the block is left."""
    shown = Step(title)
    shown.begin()
    try:
        yield shown
    except BaseException:
        shown.end("failed:")
        raise
    shown.end("done:")


def say(text: str = "") -> None:
    print(text, flush=True)


def warn(message: str, fix: str = "") -> None:
    print(f"  note: {message}" + (f"\n        {fix}" if fix else ""), flush=True)


def fail(error: BuildError) -> None:
    sys.stdout.flush()
    print(f"error: {error.message}\n  fix: {error.fix}", file=sys.stderr, flush=True)
