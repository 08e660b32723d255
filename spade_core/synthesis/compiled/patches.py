# SPDX-License-Identifier: Apache-2.0
"""Which pixels see the same in their neighbourhoods.

Of photos' label maps at 256 squared one 3x3 neighbourhood in a hundred is new: what a network makes of labels alone is
computed once for each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import torch
import torch.nn.functional as F
from torch import Tensor

from ...model.convolution.library import library, pointer


@dataclass(frozen=True, eq=False)
class Patches:
    """ids: (B, h, w) int32, which neighbourhood each pixel has, or None: each its own, in their order. count: how many
    there are."""

    ids: Tensor | None
    count: int
    _members: Callable[[], Tensor]

    @classmethod
    def of(cls, keys: Tensor, kernel: int, repeat_edge: bool, most: float) -> Patches:
        """keys: (B, h, w) int32; past the border there is the edge again, or 0. Each pixel has a patch of its own where
        different ones would be more than the share `most` of all."""
        reach = kernel // 2
        if reach == 0:
            count = int(keys.max()) + 1
            return cls(keys, count, lambda: torch.arange(count)[:, None])
        padded, limit = _padded(keys, reach, repeat_edge), int(most * keys.numel())
        found = _run(padded, kernel, 2, limit)
        found = None if found is None else _run(found[0], kernel, 1, limit)
        ids, places = (None, torch.arange(keys.numel())) if found is None else found
        return cls(ids, len(places), partial(_around, padded, places, kernel))

    @cached_property
    def members(self) -> Tensor:
        """(U, k k) int64: what is in each."""
        return self._members()


def neighbourhoods(keys: Tensor, places: Tensor, kernel: int, repeat_edge: bool) -> Tensor:
    """(N, k k) int64: what pixels see. keys: (B, h, w) int32; places: (N,) int64, of all B h w."""
    return _around(_padded(keys, kernel // 2, repeat_edge), places, kernel)


def distinct(members: Tensor) -> tuple[Tensor, Tensor]:
    """Which rows of (N, k) int64 are the same: numbers from 0 up, (N,) int64, and for each number the place of one that
    has it, (U,) int64."""
    random = torch.Generator().manual_seed(members.shape[1])
    factors = torch.randint(-(2**62), 2**62, members.shape[1:], generator=random)
    codes, numbers = (members * factors).sum(1).unique(return_inverse=True)
    places = torch.empty(len(codes), dtype=torch.int64)
    places[numbers] = torch.arange(len(members))
    if not torch.equal(members[places][numbers], members):  # two have the same code
        return torch.arange(len(members)), torch.arange(len(members))
    return numbers, places


def pairs(a: Tensor, b: Tensor, most: int) -> tuple[Tensor, Tensor] | None:
    """Which pixels have the same pair of numbers. a, b: (B, h, w) int32, from 0 up.

    Returns ids, (B, h, w) int32 from 0 up, and for each of them the place of one pixel that has it, (U,) int64; None
    where they are more than `most`.
    """
    found = library()
    if found is None:
        return plain_pairs(a, b, most)
    a, b = (each if each.stride(2) == 1 else each.contiguous() for each in (a, b))
    ids, places = (
        torch.empty(a.shape, dtype=torch.int32),
        torch.empty(min(most, a.numel()), dtype=torch.int64),
    )
    strides = *a.stride()[:2], *b.stride()[:2]
    count = found.pairs(
        pointer(a), pointer(b), *strides, *a.shape, pointer(ids), pointer(places), len(places)
    )
    if count == -2:
        raise MemoryError("not enough memory for the neighbourhoods of a label map")
    return None if count < 0 else (ids, places[:count])


def plain_pairs(a: Tensor, b: Tensor, most: int) -> tuple[Tensor, Tensor] | None:
    """As pairs, in an order of its own."""
    codes = (a.long() * (int(b.max()) + 1) + b).flatten()
    values, ids = codes.unique(return_inverse=True)
    if len(values) > most:
        return None
    places = torch.empty(len(values), dtype=torch.int64)
    places[ids] = torch.arange(len(codes))
    return ids.int().view(a.shape), places


def _run(ids: Tensor, length: int, dim: int, most: int) -> tuple[Tensor, Tensor] | None:
    """As pairs, of `length` neighbours along a dimension, which gets shorter by length - 1."""
    size = ids.shape[dim] - length + 1
    found, result = ids.narrow(dim, 0, size), None
    for step in range(1, length):
        result = pairs(found, ids.narrow(dim, step, size), most)
        if result is None:
            return None
        found = result[0]
    return result


def _around(padded: Tensor, places: Tensor, kernel: int) -> Tensor:
    """As neighbourhoods, of a map with what lies past its border."""
    reach = kernel // 2
    high, wide = padded.shape[1:]
    height, width = high - 2 * reach, wide - 2 * reach
    image, place = places // (height * width), places % (height * width)
    first = (image * high + place // width) * wide + place % width
    around = torch.tensor([y * wide + x for y in range(kernel) for x in range(kernel)])
    return padded.flatten()[first[:, None] + around].long()


def _padded(keys: Tensor, reach: int, repeat_edge: bool) -> Tensor:
    if not reach:
        return keys
    if not repeat_edge:
        return F.pad(keys, (reach,) * 4)
    rows, columns = (torch.arange(-reach, size + reach).clamp(0, size - 1) for size in keys.shape[1:])
    return keys[:, rows[:, None], columns]
