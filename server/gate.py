# SPDX-License-Identifier: Apache-2.0
"""The broker's doorkeeper: libzmq asks it of every connection whether its key may come in (ZAP, RFC 27)."""

from __future__ import annotations

import time

import zmq
from zmq.utils import z85

from spade_core.contract.sockets import Socket, is_readable

from .keys import LOCAL, KeyStore

CONTROL = b"control"
"""The domain of the control socket: nobody but this machine's user comes in there."""
LOOK_S = 1.0
_ASKED_A_TURN = 64
_ADDRESS = "inproc://zeromq.zap.01"


class Gate:
    """Answers at `socket`, which the broker polls; belongs to the broker's thread and context."""

    def __init__(self, context: zmq.Context, store: KeyStore):
        """Made before any socket is bound."""
        self._store = store
        self._local = store.local().public
        self._users: dict[str, str] = {}
        self._changed_at, self._looked_at = -1, -LOOK_S
        self.socket: Socket = context.socket(zmq.REP)
        self.socket.linger = 0
        self.socket.bind(_ADDRESS)

    def lets_in(self, user: str) -> bool:
        """Whether this user may still ask for something: keys are revoked while a server runs."""
        now = time.monotonic()
        if now - self._looked_at >= LOOK_S:
            self._look(now)
        return user == LOCAL or user in self._users

    def answer(self) -> None:
        """Answer what libzmq asks now."""
        for _ in range(_ASKED_A_TURN):
            if not is_readable(self.socket):
                return
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
        self._look(time.monotonic())
        return next((name for name, known in self._users.items() if known == public), "")

    def _look(self, now: float) -> None:
        """Read the keys again where they may have changed: strangers who knock all the time cost a look at a folder."""
        changed = self._store.changed_at()
        if changed != self._changed_at or now - self._looked_at >= LOOK_S:
            self._users, self._changed_at, self._looked_at = self._store.users(), changed, now
