# SPDX-License-Identifier: Apache-2.0
"""What a label map has that the one before had not: an object that moved is new to few neighbourhoods."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .patches import Patches

MOST_CHANGED = 0.5
"""Share of pixels above which a label map is taken for another one."""


@dataclass(frozen=True, eq=False)
class Changes:
    """where: (N,) int64, the pixels, of all h w, whose neighbourhood is not what it was there. numbers: (N,) int64,
    which of the new neighbourhoods, from 0 up, each has now; -1 where a pixel that has not changed has the same one:
    `sources`, (N,) int64.

    hidden: (M, k k) int64, what the first convolution sees of the new ones, in keys: one each where members is None;
    else members, (U, k k) int64, has 1 + those that each is made of, 0 for what lies past the border.
    """

    where: Tensor
    numbers: Tensor
    sources: Tensor
    hidden: Tensor
    members: Tensor | None


def changes_of(changed: Tensor, first: Patches, second: Patches | None, reach: int) -> Changes | None:
    """Of one picture. changed: (1, h, w) bool, pixels with another key than before. first, second: neighbourhoods of
    both convolutions; second is None where that has a kernel of 1. reach: of both together.

    None where too much has changed for it to be worth it.
    """
    where = within(changed, reach)
    if len(where) > MOST_CHANGED * changed.numel():
        return None
    seen = second or first
    if seen.ids is None:
        numbers, sources, places = torch.arange(len(where)), where, where
    else:
        numbers, sources, places = _new(seen.ids.flatten(), seen.places, where)
    if second is None:
        return Changes(where, numbers, sources, first.some_members(places), None)
    hidden, members = second.some_members(places).unique(return_inverse=True)
    if len(hidden) and hidden[0] == 0:
        hidden = hidden[1:]
    else:
        members = members + 1
    return Changes(where, numbers, sources, first.some_members(first.places[hidden - 1]), members)


def _new(ids: Tensor, places: Tensor, where: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Numbers and sources, as of Changes, and a place of each new neighbourhood, (U,). ids: (h w,)"""
    changed = torch.zeros(len(ids), dtype=torch.bool)
    changed[where] = True
    here = ids[where].long()
    sources = places[here]
    fresh = changed[sources]
    new, numbers_of_new = here[fresh].unique(return_inverse=True)
    numbers = torch.full_like(here, -1)
    numbers[fresh] = numbers_of_new
    return numbers, sources, places[new]


def within(changed: Tensor, reach: int) -> Tensor:
    """(N,) int64: the pixels, of all h w, that see a change within `reach`. changed: (1, h, w) bool."""
    top, bottom, left, right = box_of(changed, reach, 1)
    near = changed[:, top:bottom, left:right].float()
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
