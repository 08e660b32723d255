# SPDX-License-Identifier: Apache-2.0
"""Finding the server that a command is about."""

from __future__ import annotations

from pathlib import Path

from spade_core.contract.client import Client
from spade_core.contract.connection import ConnectionInfo, default_connection_file, read_connection_file
from spade_core.contract.errors import ForbiddenError


def own_or_at(server: str | None) -> tuple[Client, str]:
    """A client of the server of this name, or of the user's own, and the address that is told to artists. It talks over
    the control socket where this user has that, which work never delays. Raises UnavailableError, ForbiddenError."""
    if server is not None and server.startswith("tcp://"):
        return Client.at(server), server
    connection = _announced(server)
    talks_at = connection.control_address or connection.address
    return Client(talks_at, credentials=connection.credentials), connection.address


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
