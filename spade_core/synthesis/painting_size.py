# SPDX-License-Identifier: Apache-2.0
"""At which size a picture is painted that an upscaler then enlarges: about the one that the model was trained at.

A model paints best what it has seen: asked for four times the side, it repeats its textures at a quarter of their size.
Asked for twice, it paints finer things, and large ones hold together less: that is a matter of taste, `detail`.
"""

from __future__ import annotations

import math

ROUNDED = 1.1
"""A side may be so much larger or smaller than wanted, where that makes the enlargement a whole number."""


def painting_size(wanted: tuple[int, int], trained: tuple[int, int], detail: float = 1.0) -> tuple[int, int]:
    """Both (height, width): of the picture asked for, and of what the model was trained on.

    The result has the area of the latter, with sides `detail` times as long, and the aspect of the former, which is a
    whole number of times as large where that can be had; a picture of no larger area is painted as it is.
    """
    height, width = wanted
    times = math.sqrt(height * width / (trained[0] * trained[1])) / detail
    if times <= 1:
        return wanted
    whole = round(times)
    if whole > 1 and 1 / ROUNDED <= whole / times <= ROUNDED and height % whole == 0 and width % whole == 0:
        return height // whole, width // whole
    return max(1, round(height / times)), max(1, round(width / times))
