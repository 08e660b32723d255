# SPDX-License-Identifier: Apache-2.0
"""The clients at one socket: what they say is read, and what they are told waits for slow readers, within bounds.

What libzmq has not yet put on the wire is counted by its size, not by messages: a picture can have 48 MiB. A reply that
finds no room is not kept here; its client asks again for a job that it has heard nothing of.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import zmq

from spade_core.contract.pending_jobs import SLOWEST_BYTES_S
from spade_core.contract.sockets import Socket, is_readable

from .allowance import Allowance
from .connections import Connections

PEER_BYTES = 8 * 2**20
"""Waiting for one connection; a single message may have more."""
ALL_BYTES = 12 * 2**20
"""Waiting for all of them; who has read nothing for STUCK_S makes room."""
STUCK_S = 1.0
OUTBOX_S = 30.0
PACE_S = 0.5
IDLE_S = 600.0
_LARGE = 64 * 1024
_PASSING_BYTES = 20 * 1024
"""What may wait for one connection before what is droppable is dropped: a reader of a moment ago gets its answers."""
_OVERHEAD = 1024  # of any message, in Python and libzmq


@dataclass(eq=False)
class Peer:
    """One connection. `client` is the session behind it, once it has introduced itself, `user` whose key it has."""

    identity: bytes
    descriptor: int
    user: str
    allowance: Allowance
    client: str = ""
    greeted: bool = False
    heard_at: float = 0.0
    moved_at: float = 0.0
    """When it last took what was sent to it."""
    taken: int = 0
    """Bytes that its system has taken, when that was looked at last, at `weighed_at`."""
    weighed_at: float = 0.0
    outbox: deque[tuple[list[Any], int]] = field(default_factory=deque)
    waiting: int = 0
    """Bytes in the outbox."""
    on_its_way: deque[tuple[zmq.MessageTracker, int]] = field(default_factory=deque)
    leaving: int = 0
    """Bytes that libzmq has, and has not put on the wire."""

    @property
    def held(self) -> int:
        """Bytes that are kept for it."""
        return self.waiting + self.leaving

    def put(self, frames: list[Any], size: int) -> None:
        """Let a message wait."""
        self.outbox.append((frames, size))
        self.waiting += size

    def drop_first(self) -> None:
        """The message that waited longest waits no more."""
        self.waiting -= self.outbox.popleft()[1]

    def note_pace(self, taken: int, now: float) -> None:
        """Who takes a large picture slowly, but steadily, is not stuck. taken: bytes, as Connections counts them."""
        if taken - self.taken > SLOWEST_BYTES_S * (now - self.weighed_at):
            self.moved_at = now
        self.taken, self.weighed_at = taken, now

    def note_taken(self, now: float) -> None:
        """Forget what libzmq has put on the wire."""
        while self.on_its_way and self.on_its_way[0][0].done:
            self.leaving -= self.on_its_way.popleft()[1]
            self.moved_at = now


class Peers:
    """Reads and sends without ever blocking; `socket` is a ROUTER with router_mandatory."""

    def __init__(self, socket: Socket):
        self.socket = socket
        self.connections = Connections(socket)
        self.gone: set[bytes] = set()  # connections found closed; whoever holds their jobs empties it
        self._peers: dict[bytes, Peer] = {}

    @property
    def backlog(self) -> bool:
        """Whether something still waits to be sent."""
        return any(peer.held for peer in self._peers.values())

    def receive(self, now: float) -> tuple[Peer, list[memoryview]] | None:
        """The next message and whose it is; its frames are libzmq's own memory. None if there is none."""
        if not is_readable(self.socket):
            return None
        try:
            identity, *frames = self.socket.recv_multipart(zmq.DONTWAIT, copy=False)
        except zmq.Again:  # its sender has gone meanwhile
            return None
        source = frames[-1]
        descriptor, user = int(source.get(zmq.SRCFD)), str(source.get("User-Id"))
        peer = self._peers.get(identity.bytes)
        if peer is None or (peer.descriptor, peer.user) != (descriptor, user):
            # Clients choose their identities: one that was another's is somebody new. The descriptor, too, may have
            # been that of a connection that has ended: those are noted first.
            self._note_those_who_left(now)
            peer = Peer(identity.bytes, descriptor, user, Allowance(now), moved_at=now)
            self._peers[peer.identity] = peer
        peer.heard_at = now
        self.connections.was_read(peer.descriptor, frames)
        return peer, [frame.buffer for frame in frames]

    def count_of(self, user: str) -> int:
        """How many connections this user has."""
        return sum(peer.user == user for peer in self._peers.values())

    def greeted(self) -> list[bytes]:
        """Those who said Hello, and so expect to hear of changes."""
        return [identity for identity, peer in self._peers.items() if peer.greeted]

    def send(self, identity: bytes, frames: list[Any], now: float, *, droppable: bool = False) -> bool:
        """Send, or put in the outbox what is not droppable. False: it is given up, or its reader has gone."""
        peer = self._peers.get(identity)
        if peer is None:
            return False
        size = _OVERHEAD + sum(len(frame) for frame in frames)
        if not peer.outbox and self._sent(peer, frames, size, now):
            return True
        if identity not in self._peers or (droppable and peer.waiting + size > _PASSING_BYTES):
            return False
        self._make_room(peer, size, now)
        if peer.held and peer.held + size > PEER_BYTES:
            return False
        peer.put(frames, size)
        return True

    def flush(self, now: float) -> None:
        """Send what the outboxes hold; give up connections that take nothing for long, and note who has left."""
        self._note_those_who_left(now)
        for peer in list(self._peers.values()):
            peer.note_taken(now)
            if peer.held and now - peer.weighed_at > PACE_S:
                peer.note_pace(self.connections.taken(peer.descriptor), now)
            while peer.outbox and self._sent(peer, *peer.outbox[0], now):
                peer.drop_first()
            if peer.outbox and now - peer.moved_at > OUTBOX_S:
                self.forget(peer)
            elif not peer.held and now - peer.heard_at > IDLE_S:
                del self._peers[peer.identity]

    def forget(self, peer: Peer) -> None:
        """End a connection, with all that waits for it."""
        if self._peers.pop(peer.identity, None) is not None:
            self.gone.add(peer.identity)
            self.connections.shut(peer.descriptor)

    def close(self, linger_ms: int) -> None:
        """Close the socket; what libzmq has gets so long to leave."""
        self.connections.close()
        self.socket.close(linger=linger_ms)

    def _note_those_who_left(self, now: float) -> None:
        left = set(self.connections.look(now))
        for peer in [peer for peer in self._peers.values() if peer.descriptor in left] if left else ():
            del self._peers[peer.identity]
            self.gone.add(peer.identity)

    def _sent(self, peer: Peer, frames: Sequence[Any], size: int, now: float) -> bool:
        peer.note_taken(now)
        large = size > _LARGE
        if large and peer.on_its_way and peer.leaving + size > PEER_BYTES:
            return False
        try:
            tracker = self.socket.send_multipart(
                [peer.identity, *frames], zmq.DONTWAIT, copy=False, track=large
            )
        except zmq.Again:
            return False
        except zmq.ZMQError as problem:
            if problem.errno != zmq.EHOSTUNREACH:
                raise
            self.forget(peer)
            return False
        if large and tracker is not None:
            peer.on_its_way.append((tracker, size))
            peer.leaving += size
        elif not peer.on_its_way:
            peer.moved_at = now
        return True

    def _make_room(self, wanting: Peer, size: int, now: float) -> None:
        held = sum(peer.held for peer in self._peers.values())
        stuck = [
            peer
            for peer in self._peers.values()
            if peer is not wanting and peer.held and now - peer.moved_at > STUCK_S
        ]
        for peer in sorted(stuck, key=lambda peer: -peer.held):
            if held + size <= ALL_BYTES:
                return
            held -= peer.held
            self.forget(peer)
