# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands behind the cards of a picture, painted after it: ordinary jobs, one after the other, in its own style.

The picture itself is there by then. Where a job fails, is cancelled, or gives way to a newer press, the rest is not
painted and there are no cards: the picture stays whole.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..contract.errors import SpadeError
from .jobs import Job, JobBoard, JobState
from .layers import Layers


class LayerPainting:
    """The paintings for one picture that was placed. Call step() often; it never waits.

    paintings: (H, W, 3) uint8 for each card, as far as they have come; None where nothing is painted.
    """

    def __init__(self, board: JobBoard, placed: Job) -> None:
        assert placed.request.layers is not None
        self.placed = placed
        self.layers: Layers = placed.request.layers
        self.paintings: list[np.ndarray | None] = []
        self.error: SpadeError | None = None
        self.was_stopped = False
        """Whether no more comes, though not all has come."""
        self._board = board
        self._live: Job | None = None
        self.step()

    @property
    def is_whole(self) -> bool:
        """Whether all paintings are there."""
        return len(self.paintings) == len(self.layers.behind)

    @property
    def place(self) -> tuple[int, int]:
        """Which one is being painted, from 1, and of how many."""
        return len(self.paintings) + 1, len(self.layers.behind)

    def step(self) -> None:
        """Take what has come, and have the next one painted."""
        job = self._live
        if job is not None:
            if job.is_live:
                return
            self._live = None
            if job.state is not JobState.FINISHED or job.rgb is None:
                self.error, self.was_stopped = job.error, True
                return
            self._board.discard(job)
            self.paintings.append(job.rgb)
        while not (self.is_whole or self.was_stopped or self._live):
            self._go_on(self.layers.behind[len(self.paintings)])

    def _go_on(self, label_map: np.ndarray | None) -> None:
        known = next(
            (
                painting
                for painting, painted in zip(self.paintings, self.layers.behind, strict=False)
                if painted is not None and label_map is not None and np.array_equal(painted, label_map)
            ),
            None,
        )
        if label_map is None or known is not None:
            self.paintings.append(known)
            return
        request = self.placed.request
        if self._board.live_in(request.scene_uid) is not None:
            self.was_stopped = True  # a newer press counts
            return
        # Where a model looks at objects, the borders between labels count.
        request = replace(request, label_map=label_map, instance_map=None, layers=None, sight=None)
        self._live = self._board.add(request, lands=False)
