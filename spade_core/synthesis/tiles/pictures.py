# SPDX-License-Identifier: Apache-2.0
"""Pictures that are too large to be painted in one run, and those whose ends meet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from ...contract.errors import BadOptionError
from ...contract.messages import Wrap
from ...model.interface import ImageGenerator
from ..framing import Framing
from ..wrapping import NOWHERE, Wrapping
from .labels import Labels
from .painter import Painter
from .plan import Part, Planner
from .reach import goes_around, is_local
from .region import Region

CPU_BYTES = 2**29
"""Of one block's run on a processor: more is no faster."""


class PartedPictures:
    """Paints with one generator part by part, where that is needed."""

    def __init__(self, generator: ImageGenerator[Any], device: torch.device) -> None:
        self.most_bytes = usual_bytes(device)
        """What a block's run may take; a picture for which it would be more is painted in parts."""
        self._generator: Any = generator
        self._wrapping = Wrapping(generator)
        self._planner = Planner(self._generator) if goes_around(generator) else None
        self._is_local = is_local(generator)

    def plan(self, frame: Framing, wrap: Wrap) -> Part | None:
        """How to paint a picture; None where the generator paints it as it is. Raises BadOptionError."""
        if self._planner is None:
            if wrap != NOWHERE:
                raise BadOptionError(
                    "This model cannot paint a picture whose ends meet.", "Leave wrapping out, or use another model."
                )
            return None
        most = self.most_bytes if self._is_local else float("inf")
        plan = self._planner.plan(*frame.framed_size, wrap, most)
        return plan if plan.parts or wrap != NOWHERE else None

    @property
    def whole_pixels(self) -> int:
        """Of the largest picture that is painted in one part; 0 where every one is."""
        return self._planner.whole_pixels(self.most_bytes) if self._planner and self._is_local else 0

    def paint(
        self,
        plan: Part,
        labels: Labels,
        style: Tensor | None,
        noise: Sequence[Tensor],
        wrap: Wrap,
        after_run: Callable[[float], None],
    ) -> Iterator[tuple[Region, Tensor]]:
        """Regions of what the generator paints and their images, (1, 3, h, w) in [-1, 1]; the rest as of Painter."""
        return Painter(self._generator, self._wrapping, labels, style, noise, wrap, after_run).paint(plan)


def usual_bytes(device: torch.device) -> float:
    """What a block's run may take on a device: it follows from the device, never from what of it is free now, so that
    the same picture is always computed alike."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory / 4
    if device.type == "mps":
        return torch.mps.recommended_max_memory() / 4
    return CPU_BYTES
