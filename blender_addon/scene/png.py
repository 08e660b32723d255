# SPDX-License-Identifier: GPL-3.0-or-later
"""PNG files of label maps, and of pictures that nobody is to change."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import numpy as np

from ..contract.errors import BadImageError

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _COLOR, _INDEXED = 0, 2, 3


def png(pixels: np.ndarray, palette: np.ndarray | None = None, level: int = 6) -> bytes:
    """A PNG file of (H, W) uint8 or uint16, or (H, W, 3) uint8, unchanged.

    palette: (256, 3) uint8: readers then show (H, W) uint8 in these colours. level: of zlib, 0 to 9.

    Written here because Blender's own writer would send ids through colour management.
    """
    height, width = pixels.shape[:2]
    color_type = _COLOR if pixels.ndim == 3 else _GREY if palette is None else _INDEXED
    depth = 16 if pixels.dtype == np.uint16 else 8
    rows = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder(">")).view(np.uint8).reshape(height, -1)
    unfiltered = np.concatenate([np.zeros((height, 1), np.uint8), rows], axis=1).tobytes()
    header = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(unfiltered, level)), (b"IEND", b"")]
    if palette is not None:
        chunks.insert(1, (b"PLTE", palette.tobytes()))
    return _SIGNATURE + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def ids_in(file: bytes) -> np.ndarray:
    """The (H, W) uint8 or uint16 that `png` made this file of. Raises BadImageError for any other file."""
    try:
        chunks = dict(_chunks(file))
        width, height, depth, color_type, *_ = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
        lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, -1)
        if color_type == _COLOR or depth not in (8, 16) or lines[:, 0].any():
            raise ValueError("of another kind")
        dtype = np.dtype(">u2" if depth == 16 else np.uint8)
        return (
            np.ascontiguousarray(lines[:, 1:])
            .view(dtype)
            .reshape(height, width)
            .astype(dtype.newbyteorder("="))
        )
    except (KeyError, ValueError, struct.error, zlib.error):
        raise BadImageError("A stored label map cannot be read.", "Generate anew from the scene.") from None


def rgb_in(file: bytes) -> np.ndarray:
    """The (H, W, 3) uint8 that `png` made this file of. Raises BadImageError for any other file."""
    try:
        chunks = dict(_chunks(file))
        width, height, depth, color_type, *_ = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
        lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, -1)
        if color_type != _COLOR or depth != 8 or lines[:, 0].any():
            raise ValueError("of another kind")
        return lines[:, 1:].reshape(height, width, 3).copy()
    except (KeyError, ValueError, struct.error, zlib.error):
        raise BadImageError(
            "A stored picture cannot be read.", "Delete its file, and paint it again."
        ) from None


def _chunks(file: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(kind, body) of each; a kind that comes again counts once."""
    at = len(_SIGNATURE)
    while at < len(file):
        length, kind = struct.unpack(">I4s", file[at : at + 8])
        yield kind, file[at + 8 : at + 8 + length]
        at += 12 + length
