# SPDX-License-Identifier: Apache-2.0
"""The broker's doorkeeper: libzmq asks it of every connection whether its key may come in (ZAP, RFC 27)."""

from __future__ import annotations

import time

import zmq
from zmq.utils import z85

from spade_core.contract.sockets import Socket

from .keys import LOCAL, KeyStore

CONTROL = b"control"
"""The domain of the control socket: nobody but this machine's user comes in there."""
LOOK_S = 1.0
_ADDRESS = "inproc://zeromq.zap.01"


class Gate:
    """Answers at `socket`, which the broker polls; belongs to the broker's thread and context."""

    def __init__(self, context: zmq.Context, store: KeyStore):
        """Made before any socket is bound."""
        self._store = store
        self._local = store.local().public
        self._users: dict[str, str] = {}
        self._looked_at = -LOOK_S
        self.socket: Socket = context.socket(zmq.REP)
        self.socket.linger = 0
        self.socket.bind(_ADDRESS)

    def lets_in(self, user: str) -> bool:
        """Whether this user may still ask for something: keys are revoked while a server runs."""
        if time.monotonic() - self._looked_at >= LOOK_S:
            self._users, self._looked_at = self._store.users(), time.monotonic()
        return user == LOCAL or user in self._users

    def answer(self) -> None:
        """Answer what libzmq asks now."""
        while self.socket.poll(0):
            version, request, domain, _address, _identity, mechanism, *credentials = (
                self.socket.recv_multipart()
            )
            user = self._user(credentials[0]) if mechanism == b"CURVE" and credentials else ""
            if domain == CONTROL and user != LOCAL:
                user = ""
            status = b"200" if user else b"400"
            self.socket.send_multipart([version, request, status, b"", user.encode(), b""])

    def _user(self, key: bytes) -> str:
        """Whose key this is; "" for a stranger's."""
        public = z85.encode(key).decode()
        if public == self._local:
            return LOCAL
        self._looked_at = -LOOK_S  # somebody may have been allowed just now
        return next((name for name, known in self._store.users().items() if known == public), "")
