# SPDX-License-Identifier: Apache-2.0
"""What a server is told when it is started."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import tyro

from spade_core.contract.connection import default_connection_file
from spade_core.contract.errors import BadOptionError
from spade_core.contract.limits import LARGEST_SIDE, MAX_SIDE, MIN_SIDE

from .user_limits import UserLimits

MOST_THREADS = 1024
MOST_WORKERS = 64


@dataclass(frozen=True)
class ServerConfig:
    """Paint pictures for the add-on, or any other client, on this machine.

    Other first words are keys, status, top, drain and config; each has a --help of its own.
    """

    FIRST: ClassVar = (
        "models", "upscalers", "bind", "devices", "threads", "max_side", "unload_after", "metrics_port", "log_format",
        "config",
    )  # fmt: skip

    models: tuple[str, ...] = ("landscape",)
    """Models to serve: names, checkpoint files, or folders of training runs, whose newest checkpoint is served."""

    upscalers: tuple[str, ...] = ()
    """Files of further upscalers that clients may ask for by name, which is the file's without its suffix."""

    bind: str = "tcp://127.0.0.1:*"
    """Address to listen at; * is any free port."""

    connection_file: Path = field(default_factory=default_connection_file)
    """Where to write the address for clients of this user; removed at exit."""

    parent_pid: int | None = None
    """Leave when this process has gone."""

    devices: Annotated[str, tyro.conf.arg(aliases=["--device"])] = "auto"
    """Where to compute, a worker on each: auto (the best one there is), cpu, mps, cuda, or several as
    cuda:0,cuda:1. Named twice (cpu,cpu), a device has two workers, which share the threads."""

    ray: str | None = None
    """Paint in a Ray cluster in place of worker processes here: its address as HOST:PORT, auto for the one that this
    machine belongs to, or local to start one here. Needs the extra cluster; docs/server.md names its risks."""

    replicas: int = 1
    """How many paint in the Ray cluster at once, each with one device of the kind that --devices names."""

    unload_after: float = 30.0
    """Minutes without a job after which the device's memory is given back until the next one; 0 keeps it."""

    threads: int = 0
    """CPU threads for the network; 0 is one for each physical core."""

    max_side: int = MAX_SIDE
    """Largest picture side to accept, in pixels, up to 8192, at which a picture takes half a gigabyte of the server
    and up to five of a worker."""

    each_user: UserLimits = UserLimits()
    """What each user with a key may have at once; who runs the server is not limited."""

    users: tyro.conf.Suppress[dict[str, UserLimits]] = field(default_factory=dict)
    """The same for single users, by the names of their keys; for a configuration file."""

    log_format: Literal["text", "json"] = "text"
    """What the console says, also of each job that has ended: sentences, or a JSON object a line."""

    metrics_port: int | None = None
    """Port on 127.0.0.1 for /metrics (Prometheus), /v2/health/live and /v2/health/ready; nobody listens without it."""

    config: Path | None = None
    """A TOML file with options that are not said here. Without it the user's own is taken, or the machine's, if there
    is one; not by a server that belongs to another process (--parent-pid)."""

    synthesizer: tyro.conf.Suppress[str] = "spade_core.synthesis.synthesizer:Synthesizer"
    """The class that loads and runs models, as module:class. Only tests name another, so --help does not tell."""

    def check(self) -> None:
        """Raises BadOptionError where a server of these options would be of no use."""
        if not self.models:
            raise BadOptionError("No model is named.", "Name some behind --models, or leave it out.")
        if not MIN_SIDE <= self.max_side <= LARGEST_SIDE:
            raise BadOptionError(
                f"--max-side is {self.max_side}.", f"Give a number from {MIN_SIDE} to {LARGEST_SIDE}."
            )
        for name, limits in {"each-user": self.each_user, **self.users}.items():
            if min(limits.jobs, limits.megabytes, limits.connections) < 1:
                raise BadOptionError(f"A limit of '{name}' is below 1.", "Revoke a key to keep somebody out.")
        if not 0 <= self.threads <= MOST_THREADS:
            raise BadOptionError(f"--threads is {self.threads}.", f"Give a number from 0 to {MOST_THREADS}.")
        for device in self.device_names:
            if not re.fullmatch(r"auto|cpu|mps|cuda(:\d{1,3})?", device):
                raise BadOptionError(
                    f"There is no device '{device}'.", "Use auto, cpu, mps, cuda, or cuda:0,cuda:1 and so on."
                )
        if len(self.device_names) > MOST_WORKERS:
            raise BadOptionError("There are too many devices.", f"Name {MOST_WORKERS} at most.")
        if not 1 <= self.replicas <= MOST_WORKERS:
            raise BadOptionError(
                f"--replicas is {self.replicas}.", f"Give a number from 1 to {MOST_WORKERS}."
            )
        if self.ray is None and self.replicas != 1:
            raise BadOptionError(
                "--replicas are those of a Ray cluster.", "Name it with --ray, or use --devices."
            )
        if self.ray is not None and len(set(self.device_names)) > 1:
            raise BadOptionError(
                "Replicas in a Ray cluster all have devices of one kind.", "Name one: --devices cuda, or cpu."
            )
        if not 0 <= self.unload_after < float("inf"):
            raise BadOptionError(f"--unload-after is {self.unload_after}.", "Give minutes, or 0 for never.")
        if self.log_format not in ("text", "json"):
            raise BadOptionError(f"There is no log format '{self.log_format}'.", "Use text or json.")
        if self.metrics_port is not None and not 0 <= self.metrics_port <= 65535:
            raise BadOptionError(
                f"There is no port {self.metrics_port} for metrics.", "Choose one from 1 to 65535."
            )

    @property
    def device_names(self) -> list[str]:
        """The device of each worker."""
        return [device.strip() for device in self.devices.split(",")]
