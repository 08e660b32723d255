# SPDX-License-Identifier: Apache-2.0
"""Rectangles of a feature map, which may lie across its end where it goes on at the other one."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...contract.messages import NOWHERE, Wrap


@dataclass(frozen=True)
class Region:
    """Rows `top` to `bottom` and columns `left` to `right` (exclusive), in pixels of one scale.

    Outside 0 to the map's length an axis that wraps is meant to go on at its other end.
    """

    top: int
    bottom: int
    left: int
    right: int

    @classmethod
    def of_all(cls, height: int, width: int) -> Region:
        return cls(0, height, 0, width)

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def size(self) -> int:
        """Pixels."""
        return self.height * self.width

    def grown(self, reach: int) -> Region:
        return Region(self.top - reach, self.bottom + reach, self.left - reach, self.right + reach)

    def halved(self) -> Region:
        """At the next coarser scale, whatever of it is needed."""
        return Region(self.top // 2, -(-self.bottom // 2), self.left // 2, -(-self.right // 2))

    def scaled(self, times: int) -> Region:
        """At a finer scale."""
        return Region(self.top * times, self.bottom * times, self.left * times, self.right * times)

    def within(self, height: int, width: int, wrap: Wrap) -> Region:
        """What of it there is in a map of this size: an axis that wraps has no end, and at most all of itself."""
        top, bottom = _within(self.top, self.bottom, height, wrap[0])
        left, right = _within(self.left, self.right, width, wrap[1])
        return Region(top, bottom, left, right)

    def circles(self, height: int, width: int, wrap: Wrap) -> Wrap:
        """Which axes it has all of, so that one end of it meets the other."""
        return wrap[0] and self.height == height, wrap[1] and self.width == width

    def parts(self) -> tuple[Region, Region]:
        """Two halves, across the longer side; where they meet is a multiple of 32, as far as it can be."""
        if self.height > self.width:
            middle = _middle(self.top, self.bottom)
            return Region(self.top, middle, self.left, self.right), Region(
                middle, self.bottom, self.left, self.right
            )
        middle = _middle(self.left, self.right)
        return Region(self.top, self.bottom, self.left, middle), Region(
            self.top, self.bottom, middle, self.right
        )

    def cut(self, x: Tensor, of: Region, circles: Wrap = NOWHERE) -> Tensor:
        """This region of a map x, (..., h, w), that is `of`; circles: which axes x has all of, and wrap."""
        x = _cut(x, -2, self.top - of.top, self.bottom - of.top, circles[0])
        return _cut(x, -1, self.left - of.left, self.right - of.left, circles[1])


def _within(start: int, stop: int, length: int, wraps: bool) -> tuple[int, int]:
    if not wraps:
        return max(start, 0), min(stop, length)
    return (0, length) if stop - start >= length else (start, stop)


def _middle(start: int, stop: int) -> int:
    middle = (start + stop) // 2
    return middle // 32 * 32 if middle // 32 * 32 > start else middle


def _cut(x: Tensor, axis: int, start: int, stop: int, circles: bool) -> Tensor:
    length = x.shape[axis]
    if circles and (start < 0 or stop > length):
        return x.index_select(axis, torch.arange(start, stop, device=x.device) % length)
    assert start >= 0 and stop <= length
    return x.narrow(axis, start, stop - start)
