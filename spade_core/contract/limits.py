# SPDX-License-Identifier: Apache-2.0
"""How large a picture, and how much of everything, may be: the one owner of these numbers."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import BadShapeError, TooLargeError

MIN_SIDE, MAX_SIDE = 32, 4096
"""Pixels of a label map's and a picture's sides; a server may be started with another maximum."""
LARGEST_SIDE = 8192
"""Of anything that is rendered, enlarged or exported, whatever a server is told."""
MAX_FRAME_BYTES = 32 * 2**20 + 2**16
"""Of one frame from a client to a server; the transport drops what is larger. libzmq needs three times as much for a
moment, to decipher it."""
MAX_MESSAGE_BYTES = 48 * 2**20
"""Of all frames of a message from a client; a connection that sends more is ended."""
MAX_REPLY_FRAME_BYTES = 64 * 2**20
"""Of one frame from a server."""


@dataclass(frozen=True)
class Limits:
    """What one request may ask; what has over max_bytes, deflated if it is a map, must not be sent, nor all of it
    together over MAX_MESSAGE_BYTES: the transport would drop it."""

    min_side: int = MIN_SIDE
    max_side: int = MAX_SIDE
    max_bytes: int = MAX_FRAME_BYTES - 2**16
    max_inflight: int = 16
    max_queue: int = 128

    @property
    def max_map_bytes(self) -> int:
        """Of a map that was inflated, two a pixel."""
        return 2 * self.max_side**2


def refuse_size(size: tuple[int, int], what: str, limits: Limits) -> None:
    """Raises TooLargeError or BadShapeError where a (height, width) is outside the limits."""
    height, width = size
    if max(height, width) > limits.max_side:
        raise TooLargeError(
            f"The {what} is {width} x {height} pixels, the server takes up to {limits.max_side} a side.",
            "Choose a smaller size.",
        )
    if min(height, width) < limits.min_side:
        raise BadShapeError(
            f"The {what} is {width} x {height} pixels, at least {limits.min_side} a side are needed.",
            "Choose a larger size.",
        )
