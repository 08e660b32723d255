# SPDX-License-Identifier: Apache-2.0
"""The connections that clients have open: an outbox each, so that a slow reader delays nobody, and an error
budget each, so that garbage cannot storm."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

import zmq

from spade_core.contract.sockets import Socket

ERROR_BURST = 50  # errors that a connection is told at once
ERROR_RATE = 10.0  # and then each second; garbage beyond that is dropped in silence
OUTBOX_BYTES = 256 * 2**20
OUTBOX_S = 30.0
IDLE_S = 600.0


@dataclass
class Peer:
    """One connection. `client` is the session behind it, once it has introduced itself, `user` whose key it has."""

    identity: bytes
    user: str = ""
    client: str = ""
    greeted: bool = False
    outbox: deque[list[Any]] = field(default_factory=deque)
    stuck_since: float = 0.0
    heard_at: float = 0.0
    budget: float = ERROR_BURST
    budget_at: float = 0.0

    def may_be_told_of_an_error(self, now: float) -> bool:
        """Whether this peer's next mistake is answered; takes one from its budget."""
        self.budget = min(ERROR_BURST, self.budget + (now - self.budget_at) * ERROR_RATE)
        self.budget_at = now
        if self.budget < 1:
            return False
        self.budget -= 1
        return True


class Peers:
    """Sends to connections without ever blocking; `socket` is a ROUTER with router_mandatory."""

    def __init__(self, socket: Socket):
        self._socket = socket
        self._peers: dict[bytes, Peer] = {}
        self.gone: set[bytes] = set()  # connections found closed; whoever holds their jobs empties it

    @property
    def backlog(self) -> bool:
        """Whether something still waits to be sent."""
        return any(peer.outbox for peer in self._peers.values())

    def heard(self, identity: bytes, now: float) -> Peer:
        """The peer that just sent something."""
        peer = self._peers.setdefault(identity, Peer(identity, budget_at=now))
        peer.heard_at = now
        return peer

    def greeted(self) -> list[bytes]:
        """Those who said Hello, and so expect to hear of changes."""
        return [identity for identity, peer in self._peers.items() if peer.greeted]

    def send(self, identity: bytes, frames: list[Any], now: float, *, droppable: bool = False) -> None:
        """Send, or put in the outbox; what is droppable is not worth waiting for a slow reader."""
        peer = self._peers.get(identity)
        if peer is None:
            return  # gone; a terminal reply is stored elsewhere for when its client comes back
        if peer.outbox:
            if not droppable:
                peer.outbox.append(frames)
        elif not self._sent(identity, frames) and not droppable and identity in self._peers:
            peer.stuck_since = now
            peer.outbox.append(frames)

    def flush(self, now: float) -> None:
        """Send what the outboxes hold; give up connections that take nothing for long."""
        for identity, peer in list(self._peers.items()):
            while peer.outbox and self._sent(identity, peer.outbox[0]):
                peer.outbox.popleft()
                peer.stuck_since = now
            waiting = sum(len(frame) for frames in peer.outbox for frame in frames)
            if waiting > OUTBOX_BYTES or (peer.outbox and now - peer.stuck_since > OUTBOX_S):
                self._forget(identity)
            elif not peer.outbox and now - peer.heard_at > IDLE_S:
                del self._peers[identity]

    def _sent(self, identity: bytes, frames: list[Any]) -> bool:
        try:
            self._socket.send_multipart([identity, *frames], zmq.DONTWAIT, copy=False)
        except zmq.Again:
            return False
        except zmq.ZMQError as problem:
            if problem.errno != zmq.EHOSTUNREACH:
                raise
            self._forget(identity)
        return True

    def _forget(self, identity: bytes) -> None:
        if self._peers.pop(identity, None) is not None:
            self.gone.add(identity)
