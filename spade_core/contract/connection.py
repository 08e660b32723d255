# SPDX-License-Identifier: Apache-2.0
"""The connection file: how a client finds the server that its own machine runs.

A private JSON file, readable by its owner alone, that the server writes when it can be talked to and removes
when it leaves. Two servers never clash: each binds random ports and its owner names the file.
"""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

from .errors import ForbiddenError, UnavailableError
from .keys import KEY, Credentials, KeyPair, own_credentials
from .version import PROTOCOL_MAGIC, VERSION


@dataclass(frozen=True)
class ConnectionInfo:
    """Where a server listens: work at `address`, health and drain at `control_address` (this machine).

    server_key, client_key, client_secret: by which both sides know each other; all three or none. user: to whom the
    keys were given.
    """

    address: str
    control_address: str
    pid: int
    protocol: str = PROTOCOL_MAGIC.decode()
    server_key: str | None = None
    version: str = VERSION
    client_key: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    user: str = ""

    @property
    def credentials(self) -> Credentials | None:
        """For a client; None for a server of an earlier release, which asked for none."""
        if self.server_key is None or self.client_key is None or self.client_secret is None:
            return None
        return Credentials(self.server_key, KeyPair(self.client_key, self.client_secret))


_KINDS: dict[str, type | tuple[type, ...]] = {
    "address": str,
    "control_address": str,
    "pid": int,
    "protocol": str,
    "server_key": (str, type(None)),
    "version": str,
    "client_key": (str, type(None)),
    "client_secret": (str, type(None)),
    "user": str,
}
_LARGEST_FILE = 2**16


def default_connection_file() -> Path:
    """Where a server started by hand puts its file, and where clients look first: one for each user."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_RUNTIME_DIR") or Path.home() / ".local" / "state")
    return base / "spade-backdrops" / "server.json"


def write_connection_file(path: Path, connection: ConnectionInfo) -> None:
    """Write atomically and for the owner alone (0600). Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    # O_EXCL and 0600 from the start: nobody else can read or prepare it, not even for a moment.
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(asdict(connection), file, indent=2)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def read_connection_file(path: Path) -> ConnectionInfo:
    """What the file says. Raises UnavailableError where there is none, or none that this release understands, and
    ForbiddenError where others could have written it."""
    try:
        with Path(path).open("rb") as file:
            _refuse_of_others(path, os.fstat(file.fileno()))
            table = json.loads(file.read(_LARGEST_FILE))
        connection = ConnectionInfo(**{name: table[name] for name in _KINDS if name in table})
        if not all(isinstance(getattr(connection, name), kind) for name, kind in _KINDS.items()):
            raise ValueError("a value is of the wrong type")
        keys = (connection.server_key, connection.client_key, connection.client_secret)
        if not all(key is None or KEY.fullmatch(key) for key in keys):
            raise ValueError("a key is none")
    except (OSError, ValueError, TypeError, RecursionError):
        raise UnavailableError(
            f"No server is announced in '{path}'.", "Start one with: spade-server"
        ) from None
    if connection.protocol != PROTOCOL_MAGIC.decode():
        raise UnavailableError(
            f"The server of '{path}' speaks {connection.protocol}.", "Update both sides to the same release."
        )
    return connection


def known_credentials(address: str) -> Credentials | None:
    """This user's own keys where the address is on this machine, and so perhaps of a server of theirs."""
    return own_credentials() if re.match(r"tcp://(127\.|localhost:)", address) else None


def _refuse_of_others(path: Path, facts: os.stat_result) -> None:
    """Label maps go to whom this file names: it has to be this user's own. Raises ForbiddenError."""
    if sys.platform != "win32" and (facts.st_uid not in (os.getuid(), 0) or facts.st_mode & 0o022):
        raise ForbiddenError(
            f"Other users could have written '{path}', which says where the server is.",
            "Take the right to write it from others, or have it made anew.",
        )


def process_is_alive(pid: int) -> bool:
    """Whether a process of this machine, also another user's, has not ended."""
    if sys.platform == "win32":  # there os.kill would end it
        import ctypes

        kernel = ctypes.windll.kernel32
        handle = kernel.OpenProcess(0x00100000, False, pid)  # SYNCHRONIZE
        if not handle:
            return False
        still_running = kernel.WaitForSingleObject(handle, 0) == 0x102  # WAIT_TIMEOUT
        kernel.CloseHandle(handle)
        return still_running
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # another user's, and alive
    return True
