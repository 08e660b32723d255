# SPDX-License-Identifier: Apache-2.0
"""Finding the server that a command is about."""

from __future__ import annotations

from pathlib import Path

from spade_core.contract.client import Client
from spade_core.contract.connection import ConnectionInfo, default_connection_file, read_connection_file
from spade_core.contract.errors import ForbiddenError


def own_or_at(server: str | None) -> Client:
    """A client of the server of this name, or of the user's own: over its control socket where this user has that,
    which work never delays. Raises UnavailableError, ForbiddenError."""
    if server is not None and server.startswith("tcp://"):
        return Client.at(server, software="spade-server status")
    connection = _announced(server)
    return Client(
        connection.control_address or connection.address,
        credentials=connection.credentials,
        software="spade-server status",
    )


def control(server: str | None) -> tuple[Client, ConnectionInfo]:
    """The control socket of a server that this user runs, by its connection file. Raises UnavailableError, and
    ForbiddenError where a key file is named."""
    connection = _announced(server)
    if not connection.control_address:
        raise ForbiddenError(
            f"With the key of '{connection.user}' a server can be asked for its status, and for pictures.",
            "Who runs the server does this, on its machine.",
        )
    return Client(connection.control_address, credentials=connection.credentials), connection


def _announced(server: str | None) -> ConnectionInfo:
    return read_connection_file(default_connection_file() if server is None else Path(server))
