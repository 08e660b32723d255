# SPDX-License-Identifier: Apache-2.0
"""What a worker is to do, in turn: batches that the broker sends, and models that have been loaded meanwhile."""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Callable

from .loaded import LoadedModels
from .renderer import Order

PATIENCE_S = 2.0


class Orders:
    """Filled by other threads, emptied by the one that computes."""

    def __init__(self) -> None:
        self._coming: queue.SimpleQueue[Order | LoadedModels] = queue.SimpleQueue()
        self._kept: deque[LoadedModels] = deque()
        """Models that came while something was painted."""

    def put(self, order: Order | LoadedModels) -> None:
        """The jobs of a batch follow each other, models may come between them."""
        self._coming.put(order)

    def next(self, when_quiet: Callable[[], None]) -> list[Order] | LoadedModels:
        """A batch, or newer models; waits for it. when_quiet: called once where nothing comes for PATIENCE_S."""
        if self._kept:
            return self._kept.popleft()
        try:
            first = self._coming.get(timeout=PATIENCE_S)
        except queue.Empty:
            when_quiet()
            first = self._coming.get()
        return first if isinstance(first, LoadedModels) else self._whole(first)

    def waiting(self) -> list[Order] | None:
        """A batch that is there already; models are for later."""
        while True:
            try:
                first = self._coming.get_nowait()
            except queue.Empty:
                return None
            if not isinstance(first, LoadedModels):
                return self._whole(first)
            self._kept.append(first)

    def _whole(self, first: Order) -> list[Order]:
        batch = [first]
        while batch[-1][0].more:  # the rest is on its way
            following = self._coming.get()
            if isinstance(following, LoadedModels):
                self._kept.append(following)
            else:
                batch.append(following)
        return batch
