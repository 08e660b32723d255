# SPDX-License-Identifier: GPL-3.0-or-later
"""A server's address and key as people give them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import urlsplit

from ..contract.errors import ForbiddenError, UnavailableError

DEFAULT_PORT = 5570
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:]+(%\w+)?")
_BARE_IPV6 = re.compile(r"[0-9A-Fa-f]*(:[0-9A-Fa-f]*){2,}")
_KEY = re.compile(r"[0-9A-Za-z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}")


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


def read_server_key(file: Path) -> bytes:
    """The server's public key: 40 letters, alone or in the connection file or certificate that the studio hands out.

    Raises ForbiddenError where the file has none.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        why = getattr(problem, "strerror", None) or "it is no text"
        raise _no_key(f"The key file '{file.name}' cannot be read: {why}.") from None
    try:
        said = json.loads(text)
        text = str(said.get("server_key") or "") if isinstance(said, dict) else text
    except ValueError:
        pass  # it is no connection file
    words = re.split(r"[\s\"]+", text)
    keys = [word for word in words if _KEY.fullmatch(word)]
    if not keys:
        raise _no_key(f"The file '{file.name}' holds no server key.")
    return keys[0].encode()


def _no_address(text: str, why: str = "Write it as host or host:port") -> UnavailableError:
    return UnavailableError(
        f"'{text.strip()}' is no server address.", fix=f"{why}: see the add-on preferences."
    )


def _no_key(problem: str) -> ForbiddenError:
    return ForbiddenError(
        problem, fix="Ask for the file with the server's public key, 40 letters, and choose it."
    )
