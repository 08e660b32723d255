# SPDX-License-Identifier: Apache-2.0
"""What a label map has that the one before had not: an object that moved is new to few neighbourhoods."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .patches import distinct, neighbourhoods

MOST_CHANGED = 0.5
"""Share of pixels above which a label map is taken for another one."""


@dataclass(frozen=True, eq=False)
class Changes:
    """where: (N,) int64, the pixels, of all h w, whose neighbourhood is not what it was there; numbers: (N,) int64,
    which of the new neighbourhoods, from 0 up, each has now.

    hidden: (M, k k) int64, what the first convolution sees of them, in keys: one each where members is None; else
    members, (U, k k) int64, has 1 + those that each is made of, 0 for what lies past the border.
    """

    where: Tensor
    numbers: Tensor
    hidden: Tensor
    members: Tensor | None

    @classmethod
    def of(cls, ids: Tensor, changed: Tensor, first: int, kernel: int, repeat_edge: bool) -> Changes:
        """Of one picture, by the kernels of both convolutions. ids: (1, h, w) int32 keys; changed: (1, h, w) bool,
        where they are not what they were before."""
        reach = first // 2 + kernel // 2
        where = within(changed, reach)
        if kernel == 1:
            hidden = neighbourhoods(ids, where, first, repeat_edge)
            numbers, places = distinct(hidden)
            return cls(where, numbers, hidden[places], None)
        seen = within(changed, reach + kernel // 2)
        hidden = neighbourhoods(ids, seen, first, repeat_edge)
        numbers, chosen = distinct(hidden)
        own = torch.zeros_like(ids)
        own.view(-1)[seen] = numbers.int() + 1
        members = neighbourhoods(own, where, kernel, repeat_edge)
        numbers, places = distinct(members)
        return cls(where, numbers, hidden[chosen], members[places])


def within(changed: Tensor, reach: int) -> Tensor:
    """(N,) int64: the pixels, of all h w, that see a change within `reach`. changed: (1, h, w) bool."""
    top, bottom, left, right = box_of(changed, reach, 1)
    near = changed[:, top:bottom, left:right].float()
    if not near.numel():
        return torch.empty(0, dtype=torch.int64)
    rows, columns = F.max_pool2d(near, 2 * reach + 1, 1, reach)[0].nonzero(as_tuple=True)
    return (rows + top) * changed.shape[2] + columns + left


def box_of(changed: Tensor, margin: int, step: int) -> tuple[int, int, int, int]:
    """Top, bottom, left and right of all changes, (1, h, w) bool, and a margin, in multiples of `step`, or up to the
    border."""
    edges: list[int] = []
    for dim in (1, 0):
        lines = changed[0].any(dim).nonzero()[:, 0]
        size = changed.shape[2 - dim]
        low, high = (int(lines[0]), int(lines[-1]) + 1) if len(lines) else (0, 0)
        edges += [max(0, low - margin) // step * step, min(size, -(-(high + margin) // step) * step)]
    return edges[0], edges[1], edges[2], edges[3]
