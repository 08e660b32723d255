# SPDX-License-Identifier: Apache-2.0
"""The command `spade-server top`: queue, workers, memory, and how long jobs take, again and again."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import tyro
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from spade_core.command_line import parsed_command
from spade_core.contract.client import Client
from spade_core.contract.errors import BadOptionError
from spade_core.contract.messages import ServerStatus
from spade_core.contract.server_statistics import JobStatistics, Statistics

from .keyboard import Keyboard
from .reach import control
from .status import in_words
from .words import amount, duration, milliseconds


@dataclass(frozen=True)
class TopOptions:
    """Watch a server that you run: what waits and runs, the workers and their memory, and the 50th, 95th and 99th
    percentile of how long jobs waited and were painted in the last quarter of an hour. q or Ctrl+C leaves."""

    server: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None
    """its connection file, where that is not in the usual place"""
    interval: float = 1.0
    """seconds between two looks"""
    once: bool = False
    """look once and leave"""


def main(arguments: Sequence[str]) -> int:
    """Returns the exit code. Raises SpadeError, also where the server leaves meanwhile."""
    options = parsed_command(TopOptions, list(arguments), prog="spade-server top")
    if not 0.1 <= options.interval <= 3600:
        raise BadOptionError(f"--interval is {options.interval:g}.", "Give seconds, from 0.1 to 3600.")
    client, _ = control(options.server)
    with client:
        try:
            if options.once or not sys.stdout.isatty():
                _print_on(client, options)
            else:
                _watch(client, options.interval)
        except (KeyboardInterrupt, BrokenPipeError):
            pass  # who watched has seen enough
    return 0


def _print_on(client: Client, options: TopOptions) -> None:
    """One block of lines after the other, for files and pipes."""
    while True:
        print(plain(client.status(), client.statistics()), flush=True)
        if options.once:
            return
        print()
        time.sleep(options.interval)


def _watch(client: Client, interval_s: float) -> None:
    """In place, on a terminal."""
    console = Console()
    with Keyboard() as keyboard, Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            live.update(_picture(client.status(), client.statistics()), refresh=True)
            if keyboard.pressed(interval_s) in ("q", "Q", "\x03"):
                return


def headline(status: ServerStatus) -> list[str]:
    """What stands above the table."""
    lines = [
        f"{status.software}: {in_words(status.state)}, up {duration(status.uptime_s)}",
        f"{status.running} running, {status.queued} waiting; "
        f"{status.finished} finished, {status.failed} failed since it started",
    ]
    for worker in status.workers:
        memory = f"{amount(worker.memory_bytes)} of {amount(worker.device_bytes)}"
        device = worker.device or "device unknown yet"
        lines.append(
            f"worker {worker.pid}: {worker.state}, {device}{', ' + memory if worker.device_bytes else ''}"
        )
    return lines + [f"problem: {problem.message} {problem.fix}" for problem in status.problems]


def cells(row: JobStatistics) -> list[str]:
    """A row of the table."""
    painted = any(row.paint_ms)
    times = [milliseconds(ms) if painted else "-" for ms in (*row.wait_ms, *row.paint_ms)]
    counts = (row.waiting, row.running, row.finished, row.failed)
    return ["all jobs" if row.of == "all" else f"{row.of} {row.name}", *map(str, counts), *times]


HEADINGS = ("last 15 min", "waiting", "running", "done", "failed") + tuple(
    f"{what} {percentile}" for what in ("wait", "paint") for percentile in ("p50", "p95", "p99")
)


def plain(status: ServerStatus, statistics: Statistics) -> str:
    """As text with columns."""
    rows = [list(HEADINGS), *map(cells, statistics.rows)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    table = [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in rows
    ]
    return "\n".join([*headline(status), "", *table])


def _picture(status: ServerStatus, statistics: Statistics) -> Group:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(HEADINGS[0])  # the one that gives way on a narrow terminal
    for heading in HEADINGS[1:]:
        table.add_column(heading.replace(" ", "\n"), justify="right", no_wrap=True)
    for row in statistics.rows:
        table.add_row(*(Text(cell) for cell in cells(row)), style="bold" if row.of == "all" else "")
    above = Text("\n".join(headline(status)) + "\n")  # Text: names and problems are no markup
    return Group(above, table, Text("\nq leaves"))
