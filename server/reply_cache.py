# SPDX-License-Identifier: Apache-2.0
"""Replies stored for a while: pictures that may be asked for again, and terminal replies that may be lost."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

from spade_core.contract.messages import ServerMessage
from spade_core.contract.submission import Buffer

CACHE_BYTES = 64 * 2**20
CACHE_S = 300.0


@dataclass
class CachedReply:
    """A reply and its buffers; `peer` is the connection that it was sent to, at `said_at`."""

    message: ServerMessage
    buffers: Sequence[Buffer] = ()
    peer: bytes = b""
    said_at: float = 0.0
    stored_at: float = field(default=0.0)

    @property
    def nbytes(self) -> int:
        """Memory that it takes, the message itself estimated."""
        return 512 + sum(len(buffer) for buffer in self.buffers)


class ReplyCache:
    """Least recently used replies go first, and none stays longer than five minutes."""

    def __init__(self, max_bytes: int = CACHE_BYTES, max_s: float = CACHE_S):
        self._max_bytes, self._max_s = max_bytes, max_s
        self._replies: OrderedDict[Hashable, CachedReply] = OrderedDict()
        self._bytes = 0

    def get(self, key: Hashable, now: float) -> CachedReply | None:
        """The reply stored under this key, unless it is too old."""
        reply = self._replies.get(key)
        if reply is None:
            return None
        if now - reply.stored_at > self._max_s:
            self._drop(key)
            return None
        self._replies.move_to_end(key)
        return reply

    def put(self, key: Hashable, reply: CachedReply, now: float) -> None:
        """Store a reply, unless it alone is larger than the cache."""
        self._drop(key)
        reply.stored_at = now
        if reply.nbytes > self._max_bytes:
            return
        self._replies[key] = reply
        self._bytes += reply.nbytes
        while self._bytes > self._max_bytes:
            self._drop(next(iter(self._replies)))

    def forget_old(self, now: float) -> None:
        """Give back what nobody asked for in time."""
        for key in [key for key, reply in self._replies.items() if now - reply.stored_at > self._max_s]:
            self._drop(key)

    def _drop(self, key: Hashable) -> None:
        reply = self._replies.pop(key, None)
        if reply is not None:
            self._bytes -= reply.nbytes
