# SPDX-License-Identifier: Apache-2.0
"""A picture's labels as each block of a decoder sees them, for one region at a time: all at once, the one-hot planes of
a large picture take gigabytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ...contract.messages import NOWHERE, Wrap
from ...model.config import LabelSampling
from ...model.label_channels import LabelChannels
from ...model.semantic_input import instance_edges, one_hot, resize_labels
from .region import Region

BAND_FLOATS = 2**22
"""Of full-size planes at once, where a coarser scale looks at them."""


class Labels(Protocol):
    """Of a picture of (height, width)."""

    @property
    def height(self) -> int: ...
    @property
    def width(self) -> int: ...

    def planes(self, region: Region, times: int) -> Tensor:
        """(1, input_channels, h, w) float32 of a region at a scale that is `times` coarser than the picture."""
        ...


@dataclass(frozen=True, eq=False)
class PlaneLabels:
    """Made of planes that are there at full size, (1, input_channels, H, W): shares of classes, where a label map was
    made smaller."""

    whole: Tensor
    sampling: LabelSampling
    wrap: Wrap

    @property
    def height(self) -> int:
        return self.whole.shape[2]

    @property
    def width(self) -> int:
        return self.whole.shape[3]

    def planes(self, region: Region, times: int) -> Tensor:
        fine = region.scaled(times)
        whole = Region.of_all(self.height, self.width)
        return resize_labels(
            fine.cut(self.whole, whole, self.wrap), region.height, region.width, sampling=self.sampling
        )


@dataclass(frozen=True, eq=False)
class IdLabels:
    """Made of ids, (H, W) of a label set, and, for a network that looks at objects, of (H, W) whole numbers."""

    ids: np.ndarray
    objects: np.ndarray | None
    channels: LabelChannels
    sampling: LabelSampling
    wrap: Wrap
    place: Callable[[np.ndarray], Tensor]
    """Brings whole numbers to the device: (h, w) to (1, h, w) int64."""
    after_band: Callable[[], None]
    """Called between the bands of a coarse scale, which takes seconds in a large picture; may raise to stop."""

    @property
    def height(self) -> int:
        return self.ids.shape[0]

    @property
    def width(self) -> int:
        return self.ids.shape[1]

    def planes(self, region: Region, times: int) -> Tensor:
        rows = max(1, BAND_FLOATS // max(1, region.width * times * times * self.channels.count))
        if rows >= region.height:
            return self._band(region, times)
        # The result comes first: small results between large bands would keep glibc from using their room again.
        count = self.channels.count + int(self.objects is not None)
        device = self.place(self.ids[:1, :1]).device
        result = torch.empty(
            (1, count, region.height, region.width), device=device, memory_format=torch.channels_last
        )
        for top in range(region.top, region.bottom, rows):
            band = Region(top, min(top + rows, region.bottom), region.left, region.right)
            first = top - region.top
            result[:, :, first : first + band.height] = self._band(band, times)
            self.after_band()
        return result

    def _band(self, region: Region, times: int) -> Tensor:
        fine = region.scaled(times)
        skip = times if self.sampling == "nearest" else 1  # it would pick these
        ids = self.place(self.channels.indices(self._cut(self.ids, fine)[::skip, ::skip]))
        planes = one_hot(ids, self.channels.count)
        if self.objects is not None:
            edges = self._edges(self.objects, fine)[..., ::skip, ::skip]
            planes = torch.cat([planes, edges], dim=1)
        planes = planes.contiguous(memory_format=torch.channels_last)
        return resize_labels(planes, region.height, region.width, sampling=self.sampling)

    def _edges(self, objects: np.ndarray, region: Region) -> Tensor:
        seen = region.grown(1)
        top, bottom = (seen.top, seen.bottom) if self.wrap[0] else _inside(seen.top, seen.bottom, self.height)
        left, right = (seen.left, seen.right) if self.wrap[1] else _inside(seen.left, seen.right, self.width)
        seen = Region(top, bottom, left, right)
        edges = instance_edges(self.place(self._cut(objects, seen))[:, None])
        return region.cut(edges, seen)

    def _cut(self, array: np.ndarray, region: Region) -> np.ndarray:
        if region == region.within(array.shape[0], array.shape[1], NOWHERE):
            return array[region.top : region.bottom, region.left : region.right]
        rows = np.arange(region.top, region.bottom) % array.shape[0]
        return array[rows[:, None], np.arange(region.left, region.right) % array.shape[1]]


def _inside(start: int, stop: int, length: int) -> tuple[int, int]:
    return max(start, 0), min(stop, length)
