# SPDX-License-Identifier: Apache-2.0
"""The command `spade-server status`: how a server is, in words, and as an exit code for health checks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Annotated

import tyro

from spade_core.command_line import parsed_command
from spade_core.contract.console import print_error
from spade_core.contract.errors import ForbiddenError, SpadeError
from spade_core.contract.messages import ModelInfo, ServerStatus

from .reach import own_or_at
from .words import amount, duration

EXIT_CODES = {"ready": 0, "released": 0, "warming": 3, "draining": 4, "failed": 5}
NO_ANSWER, NOT_LET_IN = 6, 7


@dataclass(frozen=True)
class StatusOptions:
    """How a server is. Exit codes: 0 ready (also with its device given back until the next job), 3 still loading, 4
    leaving, 5 failed (it serves no model), 6 nobody answers, 7 this key is not let in, 2 a wrong option."""

    server: Annotated[str | None, tyro.conf.arg(metavar="FILE|ADDRESS")] = None
    """a key file, a connection file, or tcp://host:port; your own on this machine where nothing is said"""
    json: bool = False
    """say it as one JSON object"""
    timeout: float = 3.0
    """seconds to wait for an answer"""


def main(arguments: Sequence[str]) -> int:
    """Returns the exit code."""
    options = parsed_command(StatusOptions, list(arguments), prog="spade-server status")
    try:
        client, address = own_or_at(options.server)
        with client:
            status = client.status(options.timeout)
            models = client.fetch_welcome(options.timeout).models
    except SpadeError as error:
        code = NOT_LET_IN if isinstance(error, ForbiddenError) else NO_ANSWER
        state = "forbidden" if code == NOT_LET_IN else "unavailable"
        if options.json:
            print(json.dumps({"state": state, "exit_code": code, "message": error.message, "fix": error.fix}))
        else:
            print_error(error.message, error.fix)
        return code
    code = EXIT_CODES.get(status.state, EXIT_CODES["failed"])
    if options.json:
        table = asdict(replace(status, problems=())) | {
            "problems": [asdict(each) for each in status.problems]
        }
        table |= {"exit_code": code, "address": address, "models": [asdict(model) for model in models]}
        print(json.dumps(table))
    else:
        print(screen(status, models, address))
    return code


def screen(status: ServerStatus, models: Sequence[ModelInfo], address: str) -> str:
    """What a person reads."""
    shown = [f"{each.name} ({each.file})" if each.file else each.name for each in models]
    lines = [
        f"{status.software or 'spade-server'} at {address}: {in_words(status.state)}",
        f"  up       {duration(status.uptime_s)}",
        f"  models   {', '.join(shown) or 'none'}",
        f"  jobs     {status.running} running, {status.queued} waiting; "
        f"{status.finished} finished, {status.failed} failed since it started",
    ]
    for worker in status.workers:
        memory = f", {amount(worker.memory_bytes)} of {amount(worker.device_bytes)}"
        device = f" on {worker.device}" if worker.device else ""
        lines.append(
            f"  worker   {worker.state}{device}{memory if worker.device_bytes else ''} (process {worker.pid})"
        )
    for problem in status.problems:
        of = f"{problem.model}: " if problem.model else ""
        lines.append(f"  problem  {of}{problem.message}\n           {problem.fix}".rstrip())
    return "\n".join(lines)


def in_words(state: str) -> str:
    """A state of the server, as people say it."""
    return {
        "ready": "ready",
        "released": "ready; its device is given back until the next job",
        "warming": "loading its models",
        "draining": "leaving; it finishes what it accepted",
        "failed": "failed; it serves no model",
    }.get(state, state)
