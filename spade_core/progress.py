# SPDX-License-Identifier: Apache-2.0
"""How far long work is: what is called with it, and how a terminal or a log shows it."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

Progress = Callable[[str, int, int], None]
"""Called with the stage, how much of it is done, and of how much."""
QUIET_S = 30.0  # between two lines of one stage


def silent(stage: str, done: int, of: int) -> None:
    """Progress that nobody looks at."""


@contextlib.contextmanager
def progress_bar() -> Iterator[Progress]:
    """A bar a stage on a terminal; where there is none, a line now and then. Both go to stderr."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    import rich.progress as bars
    from rich.console import Console

    stage = bars.TextColumn("{task.description}", markup=False)  # models' names are in it
    columns = (stage, bars.BarColumn(), bars.MofNCompleteColumn(), bars.TimeRemainingColumn())
    with bars.Progress(*columns, console=Console(stderr=True)) as display:
        tasks: dict[str, bars.TaskID] = {}

        def show(stage: str, done: int, of: int) -> None:
            if stage not in tasks:
                tasks[stage] = display.add_task(stage, total=of)
            display.update(tasks[stage], completed=done, total=of)

        yield show


class _Lines:
    """For logs: the beginning and the end of each stage, and a line every half minute."""

    def __init__(self) -> None:
        self._stage, self._printed_at = "", 0.0

    def __call__(self, stage: str, done: int, of: int) -> None:
        now = time.monotonic()
        if stage != self._stage or done == of or now - self._printed_at > QUIET_S:
            self._stage, self._printed_at = stage, now
            print(f"{stage}: {done} of {of}", file=sys.stderr, flush=True)
