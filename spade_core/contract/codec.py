# SPDX-License-Identifier: Apache-2.0
"""Messages to frames and back; the only place that knows bytes.

    [ b"SPB1" | JSON header, at most 16 KiB | 0..16 raw buffers ]

The header is {"kind": name, field: value, ...}. Frame 0 is judged before anything is parsed; unknown fields
are ignored, so a newer minor version is understood. Nothing here is a pickle and nothing here executes.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

from .errors import (
    BadFramesError,
    BadHeaderError,
    BadKindError,
    BadShapeError,
    BadVersionError,
    SizeMismatchError,
    SpadeError,
)
from .headers import UPDATE, json_table, json_text, read, written
from .messages import (
    CLIENT_MESSAGES,
    SERVER_MESSAGES,
    ClientMessage,
    Finished,
    Painting,
    ServerMessage,
    Thumbnails,
)
from .version import PROTOCOL_MAGIC

MAX_HEADER = 16 * 1024
MAX_BUFFERS = 16
BAND_BYTES = 2**20
"""Of a picture's bands, as long as there are enough of them: libzmq keeps the one it is sending, enciphered."""

Row = TypeVar("Row")

_KIND_OF = {kind: name for name, kind in (CLIENT_MESSAGES | SERVER_MESSAGES).items()}
_GLANCE_BYTES = 2**15


def encode(message: Any, buffers: Sequence[Any] = ()) -> list[Any]:
    """The frames of a message; buffers are bytes or contiguous arrays and are not copied.

    Raises BadHeaderError where the header is over 16 KiB.
    """
    kind = type(message)
    text = json_text({"kind": _KIND_OF.get(kind, kind.__name__), **written(message)})
    if len(text) > MAX_HEADER:
        raise BadHeaderError(
            f"The message's header has {len(text)} bytes, {MAX_HEADER} are allowed.", "Use shorter names."
        )
    return [PROTOCOL_MAGIC, text, *buffers]


def decode_client_message(frames: Sequence[bytes | memoryview]) -> tuple[ClientMessage, list[memoryview]]:
    """What a client sent, and its buffers. Raises BadFramesError, BadVersionError, BadHeaderError or BadKindError."""
    return decode(frames, CLIENT_MESSAGES)


def decode_server_message(frames: Sequence[bytes | memoryview]) -> tuple[ServerMessage, list[memoryview]]:
    """What the server sent, and its buffers. Raises BadFramesError, BadVersionError, BadHeaderError or BadKindError."""
    return decode(frames, SERVER_MESSAGES)


def id_in(frames: Sequence[bytes | memoryview]) -> str:
    """The job id in a message that may be broken otherwise, so that its sender can be told; "" if none."""
    try:
        identity = _header(frames).get("id")
    except SpadeError:
        return ""
    return identity if isinstance(identity, str) and len(identity) <= 64 else ""


def pack_map(numbers: np.ndarray, encoding: str) -> bytes | memoryview:
    """The bytes of a C-contiguous map: as they are ("raw") or deflated at level 1 ("zlib")."""
    raw = numbers.data.cast("B")
    return zlib.compress(raw, 1) if encoding == "zlib" else raw


def unpack_map(
    buffer: bytes | memoryview,
    shape: tuple[int, int],
    dtype: str,
    encoding: str,
    raw_bytes: int,
    what: str = "label map",
) -> np.ndarray:
    """The (H, W) label or instance map in a buffer, read-only; the caller has checked `raw_bytes` against the limits.

    Raises BadShapeError, BadHeaderError (encoding) and SizeMismatchError; never inflates more than `raw_bytes` + 1.
    """
    kind = _map_dtype(dtype, what)
    itemsize = kind.itemsize
    if shape[0] < 1 or shape[1] < 1 or shape[0] * shape[1] * itemsize != raw_bytes:
        raise SizeMismatchError(
            f"A {shape[0]} by {shape[1]} map of {dtype} does not have {raw_bytes} bytes.", UPDATE
        )
    if encoding == "zlib":
        buffer = _inflate(buffer, raw_bytes, what)
    elif encoding != "raw":
        raise BadHeaderError(f"The server cannot read a {what} encoded as '{encoding[:40]}'.", UPDATE)
    if len(buffer) != raw_bytes:
        raise SizeMismatchError(
            f"The {what} has {len(buffer)} bytes where {raw_bytes} were promised.", UPDATE
        )
    return np.frombuffer(buffer, kind).reshape(shape)


def _map_dtype(dtype: str, what: str = "label map") -> np.dtype[Any]:
    if dtype not in ("uint8", "uint16"):
        raise BadShapeError(f"The {what} has to be uint8 or uint16, not '{dtype[:40]}'.", UPDATE)
    return np.dtype(dtype).newbyteorder("<")


def first_ids(buffer: bytes | memoryview, dtype: str) -> np.ndarray:
    """The first ids of a deflated map, (1, N), read-only: enough to see in a moment that it is none.

    Raises BadShapeError and SizeMismatchError.
    """
    kind = _map_dtype(dtype)
    try:
        begin = zlib.decompressobj().decompress(buffer, _GLANCE_BYTES)
    except zlib.error:
        raise SizeMismatchError("The label map's zlib stream is damaged.", "Send it again.") from None
    return np.frombuffer(begin[: len(begin) // kind.itemsize * kind.itemsize], kind).reshape(1, -1)


def pack_picture(rgb: np.ndarray) -> list[memoryview]:
    """An (H, W, 3) uint8 picture as row bands, 16 at most, of 1 MiB where they are not more."""
    rows = max(1, BAND_BYTES // (rgb.shape[1] * 3), -(-rgb.shape[0] // MAX_BUFFERS))
    return [
        np.ascontiguousarray(rgb[top : top + rows]).data.cast("B") for top in range(0, rgb.shape[0], rows)
    ]


def unpack_picture(reply: Finished | Painting, buffers: Sequence[memoryview]) -> np.ndarray:
    """The (H, W, 3) uint8 picture of a raw reply. Raises SizeMismatchError."""
    height, width = reply.shape
    whole = buffers[0] if len(buffers) == 1 else b"".join(buffers)
    if height < 1 or width < 1 or len(whole) != height * width * 3:
        raise SizeMismatchError(f"The picture has {len(whole)} bytes, not {height} x {width} x 3.", UPDATE)
    return np.frombuffer(whole, np.uint8).reshape(height, width, 3)


def unpack_thumbnails(reply: Thumbnails, buffer: memoryview) -> np.ndarray:
    """The (N, H, W, 3) uint8 pictures of a reply. Raises SizeMismatchError."""
    height, width = reply.shape
    if height < 1 or width < 1 or len(buffer) % (height * width * 3):
        raise SizeMismatchError(f"{len(buffer)} bytes are no pictures of {height} x {width} x 3.", UPDATE)
    return np.frombuffer(buffer, np.uint8).reshape(-1, height, width, 3)


def _inflate(buffer: bytes | memoryview, promised: int, what: str) -> bytes:
    stream = zlib.decompressobj()
    try:
        raw = stream.decompress(buffer, promised + 1)
    except zlib.error:
        raise SizeMismatchError(f"The {what}'s zlib stream is damaged.", "Send it again.") from None
    if len(raw) != promised or not stream.eof or stream.unused_data:
        raise SizeMismatchError(
            f"The {what} does not inflate to the promised {promised} bytes.", "Send it again."
        )
    return raw


def pack_table(rows: Sequence[Any]) -> bytes:
    """Dataclasses of one kind, as many as there are: a buffer, where a header might be too short for them."""
    return json_text(rows)


def unpack_table(kind: type[Row], buffer: bytes | memoryview) -> tuple[Row, ...]:
    """What pack_table packed. Raises BadHeaderError."""
    try:
        rows = json_table(bytes(buffer))
    except (ValueError, RecursionError):
        raise BadHeaderError("A table of the message is not JSON.", UPDATE) from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise BadHeaderError("A table of the message is no list of objects.", UPDATE)
    return tuple(read(kind, row) for row in rows)


def as_many_as_fit(rows: Sequence[Row], size: int) -> tuple[Row, ...]:
    """The first of `rows` that together have at most `size` bytes in a header."""
    fitting = []
    for row in rows:
        size -= len(pack_table([row]))
        if size < 0:
            break
        fitting.append(row)
    return tuple(fitting)


def decode(frames: Sequence[bytes | memoryview], kinds: dict[str, type]) -> tuple[Any, list[memoryview]]:
    """A message of one of `kinds` and its buffers.

    Raises BadFramesError, BadVersionError, BadHeaderError or BadKindError.
    """
    header = _header(frames)
    name = header.get("kind")
    kind = kinds.get(name) if isinstance(name, str) else None
    if kind is None:
        raise BadKindError(f"There is no message of the kind {str(name)[:40]!r} in this direction.", UPDATE)
    return read(kind, header), [memoryview(buffer) for buffer in frames[2:]]


def _header(frames: Sequence[bytes | memoryview]) -> dict[str, Any]:
    if not frames:
        raise BadFramesError("The message has no frames.", UPDATE)
    magic = bytes(frames[0][:16])
    if magic != PROTOCOL_MAGIC:
        spoken = PROTOCOL_MAGIC.decode()
        if len(magic) == 4 and magic[:3] == PROTOCOL_MAGIC[:3]:
            raise BadVersionError(
                f"The peer speaks {magic.decode('ascii', 'replace')}, this side speaks {spoken}.", UPDATE
            )
        raise BadVersionError(f"The message is not of this protocol; spoken here: {spoken}.", UPDATE)
    if not 2 <= len(frames) <= 2 + MAX_BUFFERS:
        raise BadFramesError(
            f"The message has {len(frames)} frames; a header and up to 16 buffers belong there.", UPDATE
        )
    if len(frames[1]) > MAX_HEADER:
        raise BadHeaderError(f"The header has {len(frames[1])} bytes, {MAX_HEADER} are allowed.", UPDATE)
    try:
        header = json_table(bytes(frames[1]))
    except (ValueError, RecursionError):  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise BadHeaderError("The header is not JSON.", UPDATE) from None
    if not isinstance(header, dict):
        raise BadHeaderError("The header is not a JSON object.", UPDATE)
    return header
