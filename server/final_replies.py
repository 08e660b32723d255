# SPDX-License-Identifier: Apache-2.0
"""The last word on every job: said once to a connection, and again to a client that lost it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from spade_core.contract.messages import (
    SENDING,
    Cancelled,
    Failed,
    Finished,
    Progress,
    ServerMessage,
)
from spade_core.contract.submission import Buffer

from .admission import JobKey
from .reply_cache import CachedReply, ReplyCache

REPEAT_S = 5.0
ANNOUNCED_BYTES = 256 * 1024
"""Of a picture: what may take so long to arrive that its client has to know that it comes."""
KEPT_BYTES = 50 * 2**20  # the largest picture, which is in the cache of pictures, too

FinalReply = Finished | Failed | Cancelled


class Reply(Protocol):
    """Sends a message to a connection; what is droppable is not worth waiting for a slow reader. False: it is not said,
    and not going to be."""

    def __call__(
        self, peer: bytes, message: ServerMessage, buffers: Sequence[Buffer] = (), *, droppable: bool = False
    ) -> bool: ...


class FinalReplies:
    """Sends terminal replies, counts them, and keeps them for a while."""

    def __init__(self, reply: Reply):
        self.finished = self.failed = 0
        self._reply = reply
        self._sent = ReplyCache(KEPT_BYTES)

    def send(
        self, key: JobKey, peer: bytes, message: FinalReply, buffers: Sequence[Buffer], now: float
    ) -> None:
        """The job has ended like this."""
        self.finished += isinstance(message, Finished)
        self.failed += isinstance(message, Failed)
        sent = CachedReply(message, buffers, peer)
        self._sent.put(key, sent, now)
        self._say(sent, now)

    def repeat(self, key: JobKey, peer: bytes, now: float) -> bool:
        """Whether this job has ended; a connection that has not got its reply gets it.

        Nor has one that still asks a while later: what was sent to a client that did not read was dropped.
        """
        sent = self._sent.get(key, now)
        if sent is None:
            return False
        if sent.peer != peer or now - sent.said_at > REPEAT_S:
            sent.peer = peer
            self._say(sent, now)
        return True

    def forget_old(self, now: float) -> None:
        """Give back what nobody asked for in time."""
        self._sent.forget_old(now)

    def _say(self, sent: CachedReply, now: float) -> None:
        if isinstance(sent.message, Finished) and sum(map(len, sent.buffers)) > ANNOUNCED_BYTES:
            self._reply(sent.peer, Progress(sent.message.id, SENDING, 1.0))
        was_said = self._reply(sent.peer, sent.message, sent.buffers)
        sent.said_at = now if was_said else -REPEAT_S
