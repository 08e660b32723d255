# SPDX-License-Identifier: Apache-2.0
"""Label Studio's run-length code of brush strokes.

A stream of bits, the highest of each byte first: 32 bits how many values there are, 5 bits the length of a value less
one, four times 4 bits a length of run lengths less one. Then runs: 1 bit whether one value is repeated, 2 bits which of
the four lengths, so many bits the run less one, and the value, or as many values as the run is long. The values are the
picture's red, green, blue and opacity; what was painted is opaque.
"""

from __future__ import annotations

import numpy as np


def decoded(code: bytes, size: tuple[int, int]) -> np.ndarray:
    """The opacity, (H, W) uint8, of a picture of this (width, height).

    Raises ValueError where the code is cut short or of another size.
    """
    width, height = size
    bits = np.unpackbits(np.frombuffer(code, np.uint8))
    place = 0

    def number(length: int) -> int:
        nonlocal place
        if place + length > bits.size:
            raise ValueError("cut short")
        value = int.from_bytes(np.packbits(bits[place : place + length]).tobytes(), "big")
        place += length
        return value >> (-length % 8)

    count, word = number(32), number(5) + 1
    if count != 4 * width * height or word != 8:
        raise ValueError("another size")
    lengths = [number(4) + 1 for _ in range(4)]
    values = np.zeros(count, np.uint8)
    filled = 0
    while filled < count:
        repeated = number(1)
        run = number(lengths[number(2)]) + 1
        if filled + run > count:
            raise ValueError("too long")
        if repeated:
            values[filled : filled + run] = number(word)
        else:
            if place + run * word > bits.size:
                raise ValueError("cut short")
            values[filled : filled + run] = np.packbits(bits[place : place + run * word])
            place += run * word
        filled += run
    return values.reshape(height, width, 4)[..., 3]
