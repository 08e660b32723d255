# SPDX-License-Identifier: Apache-2.0
"""Several pictures at once, where that gives the very bytes that each has alone.

A device may sum up in another order for a batch than for a single picture; which order, it chooses by the shapes, never
by the values. So the first batch of a shape is painted both ways, and what was seen then holds for all of that shape.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..contract.messages import EXACT, NOWHERE, Wrap
from ..contract.progress import ProgressCallback

if TYPE_CHECKING:
    from .places import PlacedCodes
    from .synthesizer import Synthesizer  # imports torch, which some synthesizers do without


@dataclass(frozen=True, eq=False)
class Canvas:
    """What Synthesizer.render is given for one picture."""

    label_map: np.ndarray
    style: np.ndarray | PlacedCodes | None = None
    seed: int = 0
    instance_map: np.ndarray | None = None
    wrap: Wrap = NOWHERE
    precision: str = EXACT

    @property
    def is_alone(self) -> bool:
        """Whether it is painted in no batch."""
        return any(self.wrap) or not (self.style is None or isinstance(self.style, np.ndarray))


class Batches:
    """Paints with one synthesizer. A model whose batches differ once is painted with one by one from then on."""

    def __init__(self, synthesizer: Synthesizer) -> None:
        self._synthesizer = synthesizer
        self.differ = False
        """Whether a batch was seen to give other bytes."""
        self._equal: set[tuple[int, int, int, str]] = set()

    def render(
        self, canvases: Sequence[Canvas], size: tuple[int, int], progress: ProgressCallback
    ) -> list[np.ndarray]:
        """One picture a canvas, all of this (height, width) and of one precision: bytes as Synthesizer.render gives
        them."""
        if any(canvas.is_alone for canvas in canvases):
            return self._singly(canvases, size, progress)
        shape = (len(canvases), *size, canvases[0].precision)
        if len(canvases) > 1 and shape in self._equal:
            return self._synthesizer.render_batch(canvases, progress, size)
        single = self._singly(canvases, size, progress)
        if len(canvases) > 1 and not self.differ:
            batch = self._synthesizer.render_batch(canvases, _same(progress), size)
            self.differ = not all(map(np.array_equal, batch, single))
            if not self.differ:
                self._equal.add(shape)
        return single

    def _singly(
        self, canvases: Sequence[Canvas], size: tuple[int, int], progress: ProgressCallback
    ) -> list[np.ndarray]:
        def part(index: int) -> ProgressCallback:
            return lambda stage, done: progress(stage, (index + done) / len(canvases))

        return [
            self._synthesizer.render_batch([each], part(index), size)[0]
            for index, each in enumerate(canvases)
        ]


def _same(progress: ProgressCallback) -> Callable[[str, float], None]:
    """Asks whether to go on, and says nothing new."""
    return lambda stage, done: progress(stage, 1.0)
