# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading back what Blender rendered: uncompressed OpenEXR files of 32-bit float scanlines.

Without a window neither the render result nor a multilayer image hands its pixels to Python, so the label
pass goes through a file. Blender 4.5 writes one part with all channels ("ViewLayer.IndexOB.X"), Blender 5.x
one part a pass ("ViewLayer.Object Index.X"). Uncompressed, both are a header and fixed-size rows: less code
than finding and loading OpenImageIO, which lies in another place in each Blender and is missing in some.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from ..contract.errors import InternalError

_MAGIC = 20000630
_MULTIPART = 0x1000
_FLOAT = 2
_UNCOMPRESSED = 0


def read_channels(path: Path, endings: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The channels whose names end so, by full name: (H, W) float32, row 0 at the top.

    Raises InternalError for any other kind of EXR.
    """
    content = path.read_bytes()
    try:
        magic, version = struct.unpack_from("<II", content)
        if magic != _MAGIC:
            raise ValueError("it is not an OpenEXR file")
        multipart = bool(version & _MULTIPART)
        headers, position = _read_headers(content, 8, multipart)
        found: dict[str, np.ndarray] = {}
        for header in headers:
            names, width, height = _layout(header)
            first_row = struct.unpack_from("<Q", content, position)[0]
            position += 8 * height
            found |= _read_rows(content, first_row, names, width, height, multipart, endings)
        return found
    except (ValueError, KeyError, IndexError, struct.error) as problem:
        raise InternalError(
            f"The label pass cannot be read back: {problem}.", "Please report this with your Blender version."
        ) from None


def _read_headers(content: bytes, position: int, multipart: bool) -> tuple[list[dict[str, bytes]], int]:
    """The attributes of every part, and where the row tables begin. A 0 ends each part, one more the list."""
    headers = []
    while content[position] != 0 or not headers:
        header: dict[str, bytes] = {}
        while content[position] != 0:
            name, position = _read_text(content, position)
            _, position = _read_text(content, position)  # the type; the names say enough
            (size,) = struct.unpack_from("<i", content, position)
            header[name] = content[position + 4 : position + 4 + size]
            position += 4 + size
        position += 1
        headers.append(header)
        if not multipart:
            return headers, position
    return headers, position + 1


def _layout(header: dict[str, bytes]) -> tuple[list[str], int, int]:
    """Channel names in file order, width and height of one part."""
    if header["compression"][0] != _UNCOMPRESSED:
        raise ValueError("its rows are compressed")
    left, top, right, bottom = struct.unpack("<4i", header["dataWindow"])
    names, position = [], 0
    while header["channels"][position] != 0:
        name, position = _read_text(header["channels"], position)
        kind, _, x_step, y_step = struct.unpack_from("<4i", header["channels"], position)
        if (kind, x_step, y_step) != (_FLOAT, 1, 1):
            raise ValueError(f"its channel '{name}' is not 32-bit float")
        names.append(name)
        position += 16
    return names, right - left + 1, bottom - top + 1


def _read_rows(
    content: bytes,
    start: int,
    names: list[str],
    width: int,
    height: int,
    multipart: bool,
    endings: tuple[str, ...],
) -> dict[str, np.ndarray]:
    """The wanted channels of one part: rows from the top, each with a heading of its own."""
    heading = 12 if multipart else 8  # the part's number, y, length in bytes; one part has no number
    row = np.dtype([("heading", f"V{heading}"), ("pixels", "<f4", (len(names), width))])
    if start + height * row.itemsize > len(content):
        raise ValueError("it is cut short")
    pixels = np.frombuffer(content, row, height, start)["pixels"]
    return {
        name: np.ascontiguousarray(pixels[:, index])
        for index, name in enumerate(names)
        if name.endswith(endings)
    }


def _read_text(content: bytes, position: int) -> tuple[str, int]:
    end = content.index(0, position)
    return content[position:end].decode("utf-8", "replace"), end + 1
