# SPDX-License-Identifier: Apache-2.0
"""The command `spade-server drain`: finish what was accepted, take no more, leave."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import tyro

from spade_core.command_line import parsed_command
from spade_core.contract.connection import ConnectionInfo, process_is_alive
from spade_core.contract.errors import BadOptionError, DeadlineError

from ..lifecycle import is_zombie
from .reach import control

_LEAVING_S = 10.0


@dataclass(frozen=True)
class DrainOptions:
    """Have a server that you run finish the jobs it has accepted, refuse new ones, and leave. Exit codes: 0 it does (or
    has left, with --wait), 2 it cannot be told."""

    server: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None
    """its connection file, where that is not in the usual place"""
    within: float = 30.0
    """seconds to finish; what has not ended by then fails, and its clients send it to the next server"""
    wait: bool = False
    """return when it has left"""


def main(arguments: Sequence[str]) -> int:
    """Returns the exit code. Raises SpadeError."""
    options = parsed_command(DrainOptions, list(arguments), prog="spade-server drain")
    if not 0 <= options.within <= 86400:
        raise BadOptionError(f"--within is {options.within:g}.", "Give seconds, from 0 to 86400.")
    client, connection = control(options.server)
    with client:
        status = client.status()  # before: with nothing to finish it is gone at once
        left_s = client.drain(within_s=options.within).deadline_ms / 1000
    jobs = status.running + status.queued
    print(
        f"The server (process {connection.pid}) leaves. Jobs to finish first: {jobs}, {left_s:.0f} s at most."
    )
    if options.wait:
        _see_off(connection, left_s)
        print("It has left.")
    return 0


def _see_off(connection: ConnectionInfo, left_s: float) -> None:
    end = time.monotonic() + left_s + _LEAVING_S
    while process_is_alive(connection.pid) and not is_zombie(connection.pid):
        if time.monotonic() > end:
            raise DeadlineError("The server has not left in its time.", f"End process {connection.pid}.")
        time.sleep(0.1)
