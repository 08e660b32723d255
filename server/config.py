# SPDX-License-Identifier: Apache-2.0
"""What a server is told when it is started."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from spade_core.contract.connection import default_connection_file
from spade_core.contract.errors import Forbidden


@dataclass(frozen=True)
class ServerConfig:
    """Paint pictures for the add-on, or any other client, on this machine."""

    models: tuple[str, ...] = ("landscape",)
    """Models to serve: names, checkpoint files, or folders of training runs, whose newest checkpoint is served."""

    bind: str = "tcp://127.0.0.1:*"
    """Address to listen at; * is any free port."""

    connection_file: Path = field(default_factory=default_connection_file)
    """Where to write the address for clients of this user; removed at exit."""

    parent_pid: int | None = None
    """Leave when this process has gone."""

    device: str = "auto"
    """Where to compute: auto, cpu, cuda, cuda:1, mps."""

    threads: int = 0
    """CPU threads for the network; 0 is one for each physical core."""

    max_side: int = 4096
    """Largest picture side to accept, in pixels."""

    synthesizer: str = "spade_core.synthesis.synthesizer:Synthesizer"
    """The class that loads and runs models, as module:class."""


def refuse_open_address(bind: str) -> None:
    """Raises Forbidden unless `bind` is a loopback port: there are no keys to guard any other."""
    found = re.fullmatch(r"tcp://(\d+\.\d+\.\d+\.\d+):(\*|\d{1,5})", bind)
    try:
        local = found is not None and ipaddress.ip_address(found[1]).is_loopback
    except ValueError:
        local = False
    if not local:
        raise Forbidden(
            f"Listening at '{bind}' could let other machines in, and this release has no keys to guard it.",
            "Use --bind tcp://127.0.0.1:* and reach it from elsewhere through an SSH tunnel.",
        )


def physical_cores() -> int:
    """Cores this process may use, hyper-threads not counted: two threads on one core only slow each other."""
    try:
        usable = os.sched_getaffinity(0)
        siblings = {
            Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list").read_text()
            for cpu in usable
        }
        return max(1, len(siblings))
    except (AttributeError, OSError):  # not Linux
        return os.cpu_count() or 1
