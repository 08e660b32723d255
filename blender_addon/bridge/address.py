# SPDX-License-Identifier: GPL-3.0-or-later
"""A server's address and key as people give them."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

from ..contract.connection import read_connection_file
from ..contract.errors import ForbiddenError, UnavailableError
from ..contract.keys import Credentials

DEFAULT_PORT = 5570
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:]+(%\w+)?")
_BARE_IPV6 = re.compile(r"[0-9A-Fa-f]*(:[0-9A-Fa-f]*){2,}")


def tcp_address(text: str) -> str:
    """What was typed as tcp://host:port: "studio", " studio:5570 ", "tcp://10.0.0.7:5570/", "::1".

    Raises UnavailableError where it is no address.
    """
    typed = text.strip().strip("\"'").strip()
    scheme, _, rest = typed.rpartition("://")
    if scheme and scheme.lower() != "tcp":
        raise _no_address(text, f"Servers are at tcp addresses, not at {scheme.lower()} ones")
    rest = rest.replace(" ", "").rstrip("/")
    if _BARE_IPV6.fullmatch(rest):
        rest = f"[{rest}]"
    try:
        parts = urlsplit(f"//{rest}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _no_address(text, "A port is a number from 1 to 65535") from None
    if not _HOST.fullmatch(host) or parts.path or parts.query or parts.fragment or parts.username is not None:
        raise _no_address(text)
    if port == 0 or rest.endswith(":"):
        raise _no_address(text, "A port is a number from 1 to 65535")
    return f"tcp://{f'[{host}]' if ':' in host else host}:{port or DEFAULT_PORT}"


def is_on_this_computer(address: str) -> bool:
    """Whether an address, typed or whole, is this computer's own."""
    try:
        return urlsplit(tcp_address(address)).hostname in LOOPBACK_HOSTS
    except UnavailableError:
        return False


def read_credentials(file: Path) -> Credentials:
    """The keys in a key file, as `spade-server keys new` makes them. Raises ForbiddenError where it has none."""
    try:
        found = read_connection_file(file).credentials
    except UnavailableError:
        found = None
    if found is None:
        raise ForbiddenError(
            f"'{file.name}' is no key file.",
            "Ask who runs the server for one: they make it with `spade-server keys new`.",
        )
    return found


def _no_address(text: str, why: str = "Write it as host or host:port") -> UnavailableError:
    return UnavailableError(
        f"'{text.strip()}' is no server address.", fix=f"{why}: see the add-on preferences."
    )
