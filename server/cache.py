# SPDX-License-Identifier: Apache-2.0
"""Replies kept for a while: pictures that may be asked for again, and terminal replies that may be lost."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

CACHE_BYTES = 64 * 2**20
CACHE_S = 300.0


@dataclass
class Kept:
    """A reply and its buffers; `peer` is the connection that already got it."""

    message: Any
    buffers: Sequence[bytes | memoryview] = ()
    peer: bytes = b""
    kept_at: float = field(default=0.0)

    @property
    def nbytes(self) -> int:
        """Memory held, the message itself estimated."""
        return 512 + sum(len(buffer) for buffer in self.buffers)


class ReplyCache:
    """Least recently used replies go first, and none stays longer than five minutes."""

    def __init__(self, max_bytes: int = CACHE_BYTES, max_s: float = CACHE_S):
        self._max_bytes, self._max_s = max_bytes, max_s
        self._replies: OrderedDict[Hashable, Kept] = OrderedDict()
        self._bytes = 0

    def get(self, key: Hashable, now: float) -> Kept | None:
        """The reply kept under this key, unless it is too old."""
        kept = self._replies.get(key)
        if kept is None:
            return None
        if now - kept.kept_at > self._max_s:
            self._drop(key)
            return None
        self._replies.move_to_end(key)
        return kept

    def put(self, key: Hashable, kept: Kept, now: float) -> None:
        """Keep a reply, unless it alone is larger than the cache."""
        self._drop(key)
        kept.kept_at = now
        if kept.nbytes > self._max_bytes:
            return
        self._replies[key] = kept
        self._bytes += kept.nbytes
        while self._bytes > self._max_bytes:
            self._drop(next(iter(self._replies)))

    def forget_old(self, now: float) -> None:
        """Give back what nobody asked for in time."""
        for key in [key for key, kept in self._replies.items() if now - kept.kept_at > self._max_s]:
            self._drop(key)

    def _drop(self, key: Hashable) -> None:
        kept = self._replies.pop(key, None)
        if kept is not None:
            self._bytes -= kept.nbytes
