# SPDX-License-Identifier: Apache-2.0
"""A running server by its address: met, asked for a model. For commands, which may wait."""

from __future__ import annotations

import re
import time
from pathlib import Path

from .contract.client import Client
from .contract.errors import UnavailableError, UnknownModelError
from .contract.messages import ModelInfo, Welcome

SOFTWARE = "spade command"
LOADING_S = 60.0
ADDRESS = re.compile(r"tcp://[^\s/:]+:\d{1,5}|tcp://\[[0-9a-fA-F:]+\]:\d{1,5}")


def connect(address: str) -> Client:
    """A client for tcp://host:port, or for the server a connection file announces. Raises UnavailableError."""
    if Path(address).is_file():
        return Client.from_connection_file(Path(address), software=SOFTWARE)
    if not ADDRESS.fullmatch(address):
        raise UnavailableError(
            f"'{address}' is no server address.",
            "Write tcp://host:port, or name the server's connection file.",
        )
    return Client(address, software=SOFTWARE)


def introduced(client: Client, address: str, timeout_s: float = 5.0) -> Welcome:
    """The server's introduction. Raises UnavailableError where none comes in time."""
    deadline = time.monotonic() + timeout_s
    while client.welcome is None:
        if time.monotonic() > deadline:
            raise UnavailableError(
                f"No server answers at {address}.", "Start one with `spade-server`, or leave --server out."
            )
        client.poll(timeout_ms=100)
    return client.welcome


def served_model(client: Client, name: str, address: str) -> ModelInfo:
    """The server's model of this name, once it is loaded. Raises UnavailableError and UnknownModelError."""
    welcome = introduced(client, address)
    deadline = time.monotonic() + LOADING_S
    while welcome.state == "warming" and time.monotonic() < deadline:
        client.poll(timeout_ms=100)  # it introduces itself again when that changes
        welcome = introduced(client, address)
    models = {model.name: model for model in welcome.models}
    if name in models:
        return models[name]
    problem = welcome.problem_with(name)
    if problem is not None:
        raise UnavailableError(f"The server cannot paint with '{name}': {problem.message}", problem.fix)
    raise UnknownModelError(
        f"The server does not serve the model '{name}'.",
        f"Choose {', '.join(models)}." if models else "Wait until it has loaded its models, and try again.",
    )
