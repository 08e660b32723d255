# SPDX-License-Identifier: Apache-2.0
"""Messages to frames and back; the only place that knows bytes.

    [ b"SPB1" | JSON header, at most 16 KiB | 0..16 raw buffers ]

The header is {"kind": name, field: value, ...}. Frame 0 is judged before anything is parsed; unknown fields
are ignored, so a newer minor version is understood. Nothing here is a pickle and nothing here executes.
"""

from __future__ import annotations

import json
import types
import zlib
from collections.abc import Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

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
_UPDATE = "Update the add-on and the server to the same release."


def encode(message: Any, buffers: Sequence[Any] = ()) -> list[Any]:
    """The frames of a message; buffers are bytes or contiguous arrays and are not copied.

    Raises BadHeaderError where the header is over 16 KiB.
    """
    kind = type(message)
    header = {"kind": _KIND_OF.get(kind, kind.__name__), **_write(message)}
    text = json.dumps(header, separators=(",", ":"), allow_nan=False).encode()
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
            f"A {shape[0]} by {shape[1]} map of {dtype} does not have {raw_bytes} bytes.", _UPDATE
        )
    if encoding == "zlib":
        buffer = _inflate(buffer, raw_bytes, what)
    elif encoding != "raw":
        raise BadHeaderError(f"The server cannot read a {what} encoded as '{encoding[:40]}'.", _UPDATE)
    if len(buffer) != raw_bytes:
        raise SizeMismatchError(
            f"The {what} has {len(buffer)} bytes where {raw_bytes} were promised.", _UPDATE
        )
    return np.frombuffer(buffer, kind).reshape(shape)


def _map_dtype(dtype: str, what: str = "label map") -> np.dtype[Any]:
    if dtype not in ("uint8", "uint16"):
        raise BadShapeError(f"The {what} has to be uint8 or uint16, not '{dtype[:40]}'.", _UPDATE)
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
        raise SizeMismatchError(f"The picture has {len(whole)} bytes, not {height} x {width} x 3.", _UPDATE)
    return np.frombuffer(whole, np.uint8).reshape(height, width, 3)


def unpack_thumbnails(reply: Thumbnails, buffer: memoryview) -> np.ndarray:
    """The (N, H, W, 3) uint8 pictures of a reply. Raises SizeMismatchError."""
    height, width = reply.shape
    if height < 1 or width < 1 or len(buffer) % (height * width * 3):
        raise SizeMismatchError(f"{len(buffer)} bytes are no pictures of {height} x {width} x 3.", _UPDATE)
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
    return json.dumps([_write(row) for row in rows], separators=(",", ":"), allow_nan=False).encode()


def unpack_table(kind: type[Row], buffer: bytes | memoryview) -> tuple[Row, ...]:
    """What pack_table packed. Raises BadHeaderError."""
    try:
        rows = json.loads(bytes(buffer), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise BadHeaderError("A table of the message is not JSON.", _UPDATE) from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise BadHeaderError("A table of the message is no list of objects.", _UPDATE)
    return tuple(_read(kind, row, kind.__name__) for row in rows)


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
        raise BadKindError(f"There is no message of the kind {str(name)[:40]!r} in this direction.", _UPDATE)
    return _read(kind, header, kind.__name__), [memoryview(buffer) for buffer in frames[2:]]


def _header(frames: Sequence[bytes | memoryview]) -> dict[str, Any]:
    if not frames:
        raise BadFramesError("The message has no frames.", _UPDATE)
    magic = bytes(frames[0][:16])
    if magic != PROTOCOL_MAGIC:
        spoken = PROTOCOL_MAGIC.decode()
        if len(magic) == 4 and magic[:3] == PROTOCOL_MAGIC[:3]:
            raise BadVersionError(
                f"The peer speaks {magic.decode('ascii', 'replace')}, this side speaks {spoken}.", _UPDATE
            )
        raise BadVersionError(f"The message is not of this protocol; spoken here: {spoken}.", _UPDATE)
    if not 2 <= len(frames) <= 2 + MAX_BUFFERS:
        raise BadFramesError(
            f"The message has {len(frames)} frames; a header and up to 16 buffers belong there.", _UPDATE
        )
    if len(frames[1]) > MAX_HEADER:
        raise BadHeaderError(f"The header has {len(frames[1])} bytes, {MAX_HEADER} are allowed.", _UPDATE)
    try:
        header = json.loads(bytes(frames[1]), parse_constant=_no_constant)
    except (ValueError, RecursionError):  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise BadHeaderError("The header is not JSON.", _UPDATE) from None
    if not isinstance(header, dict):
        raise BadHeaderError("The header is not a JSON object.", _UPDATE)
    return header


def _no_constant(name: str) -> None:
    raise ValueError(name)  # NaN and Infinity are not JSON


def _write(message: Any) -> dict[str, Any]:
    return {
        entry.name: _plain(getattr(message, entry.name))
        for entry in fields(message)
        if entry.metadata.get("wire", True)
    }


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return _write(value)
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


@cache
def _schema(kind: type) -> list[tuple[str, Any, bool]]:
    """(name, type, required) of the fields that travel; cached, as type hints are slow to resolve."""
    hints = get_type_hints(kind)
    return [
        (entry.name, hints[entry.name], entry.default is MISSING and entry.default_factory is MISSING)
        for entry in fields(kind)
        if entry.metadata.get("wire", True)
    ]


def _read(kind: type, table: dict[str, Any], where: str) -> Any:
    values = {}
    for name, expected, required in _schema(kind):
        if name in table:
            values[name] = _value(expected, table[name], f"{where}.{name}")
        elif required:
            raise BadHeaderError(f"{where} lacks '{name}'.", _UPDATE)
    return kind(**values)


def _value(expected: Any, value: Any, where: str) -> Any:
    """A JSON value as the field's type; only the few types that messages use."""
    origin: Any = get_origin(expected)
    if origin in (Union, types.UnionType):  # every union here is "something or None"
        return None if value is None else _value(get_args(expected)[0], value, where)
    if isinstance(value, dict) and isinstance(expected, type) and is_dataclass(expected):
        return _read(expected, value, where)
    if isinstance(value, list) and origin is tuple:
        items = get_args(expected)
        if items[-1] is Ellipsis:
            return tuple(_value(items[0], item, where) for item in value)
        if len(items) == len(value):
            return tuple(_value(item, entry, where) for item, entry in zip(items, value, strict=True))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if expected is float and abs(value) < 1e18:
            return float(value)
        if expected is int and isinstance(value, int) and abs(value) < 2**63:
            return value
    elif type(value) is expected and isinstance(value, (str, bool)):
        return value
    raise BadHeaderError(f"{where} is not {getattr(expected, '__name__', expected)}.", _UPDATE)
