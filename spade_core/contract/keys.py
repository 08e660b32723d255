# SPDX-License-Identifier: Apache-2.0
"""Keys of CURVE, by which a server and its clients know each other, and nobody else reads along (CurveZMQ).

A user's own are in a private folder, so that whatever this user starts on this machine finds them:

    identity.json   the pair of every server that this user runs
    local.json      the pair of this user's clients
"""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

KEY = re.compile(r"[0-9a-zA-Z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}")
"""A key as text, in Z85."""


@dataclass(frozen=True)
class KeyPair:
    """Both halves as 40 letters of Z85; the secret one is not shown where this is printed."""

    public: str
    secret: str = field(repr=False)

    @classmethod
    def new(cls) -> KeyPair:
        """A random pair."""
        import zmq  # here and not above: it takes as long to import as all the rest

        public, secret = zmq.curve_keypair()
        return cls(public.decode(), secret.decode())


@dataclass(frozen=True)
class Credentials:
    """What a client needs for a server: the server's public key, and a pair that the server knows."""

    server_key: str
    client: KeyPair


def keys_folder() -> Path:
    """Where a user's keys are; a server also keeps there whom it lets in."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return base / "spade-backdrops" / "keys"


def read_pair(file: Path) -> KeyPair:
    """Raises OSError, and ValueError where the file holds no pair."""
    try:
        table = json.loads(file.read_bytes())
        pair = KeyPair(table["public"], table["secret"])
        if KEY.fullmatch(pair.public) and KEY.fullmatch(pair.secret):
            return pair
    except (TypeError, KeyError, RecursionError):
        pass
    raise ValueError(f"{file} holds no keys")


def own_credentials() -> Credentials | None:
    """For the servers that this user runs; None where there has been none yet."""
    folder = keys_folder()
    try:
        return Credentials(read_pair(folder / "identity.json").public, read_pair(folder / "local.json"))
    except (OSError, ValueError):
        return None
