# SPDX-License-Identifier: Apache-2.0
"""Weights as layers.c wants them.

Winograd's F(4x4, 3x3) multiplies 36 sums of 6x6 pixels by 36 matrices, where the plain convolution multiplies 9 pixels
of each of 16 results: a quarter of the work. Each matrix is a sum of the kernel's nine, by the values of a quadratic
polynomial at the points, so that these decide how much is lost to rounding (see layers.c).
"""

from __future__ import annotations

import ctypes
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor

from ..fused.library import in_threads
from .library import SumsArgument, has_bfloat16, library, loaded, pointer

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


class Matrices:
    """A matrix for each place of a neighbourhood. Rows are multiplied by them, in layers.c where that is there."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        """weight: (in, places, out); bias: (out,)."""
        self.places, self.width, self._bias = *weight.shape[1:], bias.contiguous()
        found = library()
        self._plain = weight.contiguous() if found is None else None
        self._packed: dict[bool, Tensor] = {} if found is None else {False: _in_blocks(weight, found)}

    @property
    def by_rows(self) -> bool:
        """Whether a row gives the same to the bit whatever rows there are beside it."""
        return self._plain is None

    def sums(self, rows: Tensor, members: Tensor | None = None, *, bfloat16: bool = False) -> Tensor:
        """(U, out): of each result the rows at its places, each times the matrix of that place, and the bias.

        rows: (M, in); members: (U, places) int64, which rows, or None: each row alone, where there is one place.
        bfloat16: whether factors may be rounded to that, where layers.c is at work and knows it.
        """
        if self._plain is not None:
            products = (rows @ self._plain.flatten(1)).view(-1, self.width)
            return products + self._bias if members is None else sums_of_rows(members, products, self._bias)
        bfloat16 = bfloat16 and has_bfloat16()
        if bfloat16 and bfloat16 not in self._packed:
            self._packed[bfloat16] = in_twos(self._packed[False])
        given = F.pad(rows, (0, rows.shape[1] % 2 if bfloat16 else 0, 0, -len(rows) % ROWS))
        given = given.bfloat16() if bfloat16 else given.contiguous()
        members = None if members is None else members.contiguous()
        result = torch.empty(len(rows if members is None else members), self.width)
        if not len(result):  # an empty tensor is nowhere, which means another thing to layers.c
            return result
        by = SumsArgument(
            *(pointer(each) for each in (given, self._packed[bfloat16], members, self._bias, result)),
            *(len(rows), rows.shape[1], self.places, len(result), self.width, bfloat16),
        )
        scratch = torch.empty(torch.get_num_threads(), loaded().put_aside(ctypes.byref(by)))

        def work(part: int, first: int, last: int) -> None:
            loaded().add_up(ctypes.byref(by), pointer(scratch[part]), first, last)

        in_threads(work, len(self._packed[False]))
        return result


def sums_of_rows(members: Tensor, table: Tensor, bias: Tensor) -> Tensor:
    """Sums of rows of a table, (U, C) for members, (U, places): for member m at place p the row `places` m + p."""
    places = members.shape[1]
    indices = members * places + torch.arange(places)
    if places == 1:
        return table[indices[:, 0]] + bias
    return F.embedding_bag(indices, table, mode="sum").add_(bias)


def _in_blocks(weight: Tensor, found: ctypes.CDLL) -> Tensor:
    """(in, places, out) as (blocks, places, panels of a block, in, lanes)."""
    wide, lanes = found.block(), found.lanes()
    padded = F.pad(weight, (0, -weight.shape[2] % wide)).unflatten(2, (-1, wide // lanes, lanes))
    return padded.permute(2, 1, 3, 0, 4).contiguous()
