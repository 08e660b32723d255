# SPDX-License-Identifier: Apache-2.0
"""Pictures that are too large to be painted in one run, and those whose ends meet."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from ...contract.errors import BadOptionError
from ...contract.messages import NOWHERE, Wrap
from ...model.interface import ImageGenerator
from ...model.style_map import Style
from ..framing import Framing
from ..wrapping import Wrapping
from .labels import Labels
from .painter import Painter, RunBlock
from .plan import Part, Planner
from .reach import goes_around, is_local
from .region import Region

WHOLE_BYTES, PART_BYTES = 2**30, 2**28
"""On a processor: a block's run may take so much where the picture is painted as a whole, and so much in parts: smaller
ones stay in the caches, and are no slower."""
RUNS = 3
"""A part takes so many times what a run may (measured: what is kept between coarser parts, and what the allocator does
not find again)."""
_PARTS = 4
"""Of a graphics card's memory, one may be taken."""


class PartedPictures:
    """Paints with one generator part by part, where that is needed."""

    def __init__(self, generator: ImageGenerator[Any], device: torch.device) -> None:
        self.whole_bytes, self.part_bytes = usual_bytes(device)
        """What a block's run may take: a picture for which it would be more than the first is painted in parts, whose
        runs take no more than the second."""
        self.run_block: RunBlock | None = None
        """A faster way to run a block, where there is one and nothing has to see around."""
        self.lightness = 1.0
        """How many times as much the plain block takes as that way."""
        self._generator: Any = generator
        self._wrapping = Wrapping(generator)
        self._planner = Planner(self._generator) if goes_around(generator) else None
        self._is_local = is_local(generator)

    def plan(self, frame: Framing, wrap: Wrap, one_style: bool = True) -> Part | None:
        """How to paint a picture; None where the generator paints it as it is. Raises BadOptionError.

        one_style: else a faster way to run a block takes as much as the block: it has a scale and shift for each pixel.
        """
        if self._planner is None:
            if wrap != NOWHERE:
                raise BadOptionError(
                    "This model cannot paint a picture whose ends meet.",
                    "Leave wrapping out, or use another model.",
                )
            return None
        size, light = frame.framed_size, one_style and wrap == NOWHERE
        lightness = self.lightness if light else 1.0
        whole = self._planner.whole_pixels(self.whole_bytes * lightness)
        if not self._is_local or size[0] * size[1] <= whole:
            return None if wrap == NOWHERE else self._planner.plan(*size, wrap, math.inf)
        return self._planner.plan(*size, wrap, self.part_bytes * lightness)

    @property
    def sight(self) -> int | None:
        """How far from a changed label a picture can differ, in pixels of the painting; None where all of it may."""
        return self._planner.sight() if self._planner is not None and self._is_local else None

    def fit(self, room: float) -> None:
        """Take no more than a device of `room` bytes has: a power of two, which a few bytes do not move."""
        share = 2.0 ** math.floor(math.log2(room / 4))
        self.whole_bytes = min(self.whole_bytes, share)
        self.part_bytes = min(self.part_bytes, share / 2)

    @property
    def parted_bytes(self) -> float:
        """What a picture in parts takes at most beside what each of its pixels does."""
        return RUNS * self.part_bytes

    @property
    def whole_pixels(self) -> int:
        """Of the largest picture that is painted in one part; 0 where every one is."""
        if self._planner is None or not self._is_local:
            return 0
        return self._planner.whole_pixels(self.whole_bytes * self.lightness)

    def paint(
        self,
        plan: Part,
        labels: Labels,
        style: Style | None,
        noise: Sequence[Tensor],
        wrap: Wrap,
        after_run: Callable[[float], None],
    ) -> Iterator[tuple[Region, Tensor]]:
        """Regions of what the generator paints and their images, (1, 3, h, w) in [-1, 1]; the rest as of Painter."""
        painter = Painter(
            self._generator, self._wrapping, labels, style, noise, wrap, after_run, self.run_block
        )
        return painter.paint(plan)


def usual_bytes(device: torch.device) -> tuple[float, float]:
    """For pictures as a whole, and in parts. It follows from the device, never from what of it is free now, so that the
    same picture is always computed alike."""
    if device.type == "cuda":
        total = torch.cuda.get_device_properties(device).total_memory
    elif device.type == "mps":
        total = torch.mps.recommended_max_memory()
    else:
        return WHOLE_BYTES, PART_BYTES
    return total / _PARTS, total / _PARTS
