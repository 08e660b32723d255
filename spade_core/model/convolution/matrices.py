# SPDX-License-Identifier: Apache-2.0
"""Weights as layers.c wants them.

Winograd's F(4x4, 3x3) multiplies 36 sums of 6x6 pixels by 36 matrices, where the plain convolution multiplies 9 pixels
of each of 16 results: a quarter of the work. Each matrix is a sum of the kernel's nine, by the values of a quadratic
polynomial at the points, so that these decide how much is lost to rounding (see layers.c).
"""

from __future__ import annotations

from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor

from ..fused.library import in_threads
from .library import library, loaded, pointer

POINTS = {4: (0.0, 0.75, -0.75, 1.5, -1.5), 2: (0.0, 1.0, -1.0)}
"""By the side of a tile, as layers.c has them; infinity is always one."""
ROWS = 12
"""Rows are multiplied in steps of this."""
PART = 2**14
"""Numbers of each of a kernel's matrices that are transformed at once."""


def transformed(weight: Tensor, tile: int, lanes: int) -> Tensor:
    """weight: (out, in, 3, 3); returns ((tile + 2)^2, panels, in, lanes), computed in float64."""
    points = POINTS[tile]
    rows = [
        [point**power / prod(point - other for other in points if other != point) for power in range(3)]
        for point in points
    ]
    by = torch.tensor([*rows, [0.0, 0.0, 1.0]], dtype=torch.float64)
    if tile == 2:
        by[0] *= -1  # layers.c has its sum with the other sign
    packed = panels(weight.permute(2, 3, 1, 0), lanes).flatten(0, 1)
    flat = packed.flatten(1)
    result = weight.new_empty((tile + 2) ** 2, flat.shape[1])
    for start in range(0, flat.shape[1], PART):
        part = slice(start, start + PART)
        result[:, part] = torch.kron(by, by) @ flat[:, part].double()
    return result.view(-1, *packed.shape[1:])


def panels(matrices: Tensor, lanes: int) -> Tensor:
    """(..., in, out) as (..., panels, in, lanes): `lanes` columns side by side, zeros behind the last."""
    columns = matrices.shape[-1]
    padded = F.pad(matrices, (0, -columns % lanes))
    return padded.unflatten(-1, (-1, lanes)).transpose(-2, -3).contiguous()


def in_twos(packed: Tensor) -> Tensor:
    """(..., in, lanes) float32 as (..., in / 2, lanes, 2) bfloat16, a row of zeros behind an odd one: what one
    instruction multiplies side by side."""
    even = F.pad(packed, (0, 0, 0, packed.shape[-2] % 2))
    return even.unflatten(-2, (-1, 2)).transpose(-1, -2).bfloat16().contiguous()


class Matrix:
    """Rows are multiplied by it, in layers.c where that is there."""

    def __init__(self, weight: Tensor) -> None:
        """weight: (in, out)."""
        self.columns = weight.shape[1]
        found = library()
        self._plain = weight.contiguous() if found is None else None
        self._panels = None if found is None else panels(weight, found.lanes())

    @property
    def by_rows(self) -> bool:
        """Whether a row gives the same to the bit whatever rows there are beside it."""
        return self._plain is None

    def times(self, rows: Tensor) -> Tensor:
        """(U, in) to (U, out)."""
        if self._plain is not None:
            return rows @ self._plain
        assert self._panels is not None
        packed, count = self._panels, len(rows)
        rows = F.pad(rows, (0, 0, 0, -count % ROWS)).contiguous()
        result = torch.empty(len(rows), len(packed) * packed.shape[2])
        sizes = count, rows.shape[1], len(packed)

        def work(part: int, first: int, last: int) -> None:
            loaded().multiply(pointer(rows), pointer(packed), pointer(result), *sizes, first, last)

        in_threads(work, len(packed))
        return result[:count, : self.columns].contiguous()
