# SPDX-License-Identifier: Apache-2.0
"""Keys of CURVE, by which a server and its clients know each other, and nobody else reads along (CurveZMQ)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

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
