# SPDX-License-Identifier: GPL-3.0-or-later
"""The frames that others take from, in the order in which they were made, in no more memory than there is to spare."""

from __future__ import annotations

from .reprojection import Source

MOST_BYTES = 2**30
_BYTES_A_PIXEL = 3 + 1 + 4 + 4


class Sources:
    """Frames in which something was painted, by segments: a key, and what was painted after it before the next."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._segments: dict[int, list[Source]] = {}

    def add(self, source: Source, is_key: bool) -> None:
        """One more; a key begins a segment."""
        if is_key:
            self._segments[source.frame] = [source]
        else:
            self._segments[self._key_before(source.frame)].append(source)

    def key(self, frame: int) -> Source:
        return self._segments[frame][0]

    def before(self, frame: int) -> list[Source]:
        """What a frame takes from: its own segment in the order of making, then the ones before, the latest first."""
        keys = sorted((key for key in self._segments if key < frame), reverse=True)
        return [source for key in keys for source in self._segments[key]]

    def forget(self, taken: dict[int, int]) -> None:
        """Where they take too much memory, let go of those that the last frame, which took so many pixels from each,
        had least of; the keys of the last two segments stay."""
        needed = set(sorted(self._segments)[-2:])
        while self._bytes() > self._most:
            found = [
                (taken.get(source.frame, 0), source.frame, key)
                for key, sources in self._segments.items()
                for source in sources
                if source.frame not in needed
            ]
            if not found:
                return
            _, frame, key = min(found)
            left = [source for source in self._segments[key] if source.frame != frame]
            if left:
                self._segments[key] = left
            else:
                del self._segments[key]

    def _bytes(self) -> int:
        return sum(
            source.view.labels.size * _BYTES_A_PIXEL for each in self._segments.values() for source in each
        )

    def _key_before(self, frame: int) -> int:
        return max(key for key in self._segments if key < frame)
