# SPDX-License-Identifier: Apache-2.0
"""How far a long command is: a bar on a terminal, a line now and then where there is none."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

Stages = Callable[[str, int, int], None]
"""Told the stage, how much of it is done, and of how much."""
QUIET_S = 30.0  # between two lines of one stage


@contextlib.contextmanager
def stages() -> Iterator[Stages]:
    if not sys.stderr.isatty():
        yield _Lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        tasks = {}

        def tell(stage: str, done: int, of: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage, total=of)
            bar.update(tasks[stage], completed=done, total=of)

        yield tell


class _Lines:
    """For logs: the beginning and the end of each stage, and a line every half minute."""

    def __init__(self) -> None:
        self._stage, self._told = "", 0.0

    def __call__(self, stage: str, done: int, of: int) -> None:
        now = time.monotonic()
        if stage != self._stage or done == of or now - self._told > QUIET_S:
            self._stage, self._told = stage, now
            print(f"{stage}: {done} of {of}", file=sys.stderr, flush=True)
