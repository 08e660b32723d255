# SPDX-License-Identifier: GPL-3.0-or-later
"""Floats as the bytes of an OpenEXR file, compressed: Blender packs images of three channels, and compresses none."""

from __future__ import annotations

import struct
import zlib

import numpy as np

_MAGIC, _VERSION = 20000630, 2
_FLOAT, _ZIP, _ROWS = 2, 3, 16
"""Of a channel; of a file, and how many rows are compressed together."""


def exr(values: np.ndarray) -> bytes:
    """(H, W) float32, or (H, W, 3) of red, green and blue, row 0 at the top, losslessly."""
    height, width = values.shape[:2]
    names = "Y" if values.ndim == 2 else "BGR"  # in the order of the alphabet, as the format has it
    channels = b"".join(name.encode() + b"\0" + struct.pack("<4i", _FLOAT, 0, 1, 1) for name in names)
    box = struct.pack("<4i", 0, 0, width - 1, height - 1)
    header = b"".join(
        (
            struct.pack("<II", _MAGIC, _VERSION),
            _attribute("channels", "chlist", channels + b"\0"),
            _attribute("compression", "compression", bytes([_ZIP])),
            _attribute("dataWindow", "box2i", box),
            _attribute("displayWindow", "box2i", box),
            _attribute("lineOrder", "lineOrder", b"\0"),
            _attribute("pixelAspectRatio", "float", struct.pack("<f", 1.0)),
            _attribute("screenWindowCenter", "v2f", struct.pack("<2f", 0.0, 0.0)),
            _attribute("screenWindowWidth", "float", struct.pack("<f", 1.0)),
            b"\0",
        )
    )
    # Row by row, and in each row one channel after the other.
    rows = values[:, None] if values.ndim == 2 else values[..., ::-1].transpose(0, 2, 1)
    chunks = []
    for first in range(0, height, _ROWS):
        packed = _packed(rows[first : first + _ROWS].astype("<f4").tobytes())
        chunks.append(struct.pack("<ii", first, len(packed)) + packed)
    sizes = np.array([len(header) + 8 * len(chunks), *(len(chunk) for chunk in chunks[:-1])], np.uint64)
    return header + np.cumsum(sizes, dtype="<u8").tobytes() + b"".join(chunks)


def _attribute(name: str, kind: str, value: bytes) -> bytes:
    return f"{name}\0{kind}\0".encode() + struct.pack("<i", len(value)) + value


def _packed(raw: bytes) -> bytes:
    """As the format has it: even bytes before odd ones, each less the one before it; raw where that is no smaller."""
    plain = np.frombuffer(raw, np.uint8)
    sorted_bytes = np.concatenate([plain[0::2], plain[1::2]])
    steps = sorted_bytes.copy()
    steps[1:] -= sorted_bytes[:-1]
    steps[1:] += 128
    packed = zlib.compress(steps.tobytes(), 6)
    return packed if len(packed) < len(raw) else raw
