# SPDX-License-Identifier: Apache-2.0
"""What the demo shows on the terminal: one line a step; Blender's own chatter goes to a file."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

Report = Callable[[str, float], None]  # (what is being done, fraction 0..1)


class Steps:
    """One line a step: a spinner and the time while it runs, what it took when it is done."""

    def __init__(self, console: Console):
        self.console = console

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[Report]:
        """Show `title` while the block runs; hands out what to report with."""
        started = time.monotonic()
        if self.console.is_terminal:
            columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(24), TimeElapsedColumn())
            with Progress(*columns, console=self.console, transient=True) as progress:
                task = progress.add_task(title, total=None)

                def report(doing: str, fraction: float) -> None:
                    progress.update(task, description=f"{title}: {doing}", total=1.0, completed=fraction)

                yield report
        else:
            self.console.print(f"  ... {title}")
            yield lambda doing, fraction: None
        self.console.print(f"  [green]done[/] {title} [dim]({time.monotonic() - started:.1f} s)[/]")


@contextlib.contextmanager
def chatter_in(log: Path) -> Iterator[Console]:
    """Blender prints to the process's own stdout: send that to `log`, and hand out the terminal."""
    sys.stdout.flush()
    log.parent.mkdir(parents=True, exist_ok=True)
    kept = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    own = {stream: os.dup(stream) for stream in (1, 2)}
    for stream in own:
        os.dup2(kept, stream)
    os.close(kept)
    try:
        with os.fdopen(os.dup(own[1]), "w", encoding="utf-8", errors="replace") as screen:
            yield Console(file=screen, highlight=False, soft_wrap=True)
    finally:
        sys.stdout.flush()
        for stream, terminal in own.items():
            os.dup2(terminal, stream)
            os.close(terminal)
