# SPDX-License-Identifier: GPL-3.0-or-later
"""Variations: the same labels painted with several seeds, to choose one.

- The seeds are the pressed one and those that follow it, one by one.
- They are painted one after the other. Where the server enlarges, each is stopped as soon as its small painting is
  there: four cost the time of one whole picture. Where it does not, the pictures themselves come.
- The one that is chosen is painted as Generate paints its seed, or is there already.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from .jobs import Job, JobBoard, JobState, SceneRequest

_SEEDS = 2**31
"""As many as Blender's whole numbers have."""


class Variations:
    """Some pictures of one label map. Call step() often; it never waits.

    seeds: in the order in which they are painted. pictures: (h, w, 3) uint8 of each seed that was painted.
    """

    def __init__(self, board: JobBoard, first: Job, count: int) -> None:
        first.lands = False
        self.seeds = [(first.request.seed + number) % _SEEDS for number in range(count)]
        self.pictures: dict[int, np.ndarray] = {}
        self.error = first.error
        self._board = board
        self._first = first
        self._live: Job | None = first
        self._whole: dict[int, Job] = {}  # by seed, those that were not enlarged

    @property
    def request(self) -> SceneRequest:
        """That of the first seed."""
        return self._first.request

    @property
    def is_live(self) -> bool:
        """Whether more are to come."""
        return self._live is not None

    def step(self) -> None:
        """Take what has come, and have the next one painted."""
        job = self._live
        if job is None or (job.is_live and job.painting is None):
            return
        seed = job.request.seed
        if job.is_live and job.painting is not None:
            self.pictures[seed] = job.painting
            self._board.cancel(job)
        elif job.state is JobState.FINISHED and job.rgb is not None:
            self.pictures[seed], self._whole[seed] = job.rgb, job
        else:  # it failed, or somebody has cancelled it: the rest is not wanted
            self._live, self.error = None, job.error
            return
        self._live = self._next()

    def pick(self, seed: int) -> Job:
        """The job of the whole picture of a seed, which lands like any other; nothing more is painted."""
        self.stop()
        job = self._whole.pop(seed, None)
        if job is None:
            return self._board.add(replace(self.request, seed=seed))
        job.lands, job.pressed_at = True, time.monotonic()
        return job

    def stop(self) -> None:
        """Paint no more; what has come stays."""
        if self._live is not None:
            self._board.cancel(self._live)
        self._live = None

    def close(self) -> None:
        """Let go of all."""
        self.stop()
        for job in self._whole.values():
            self._board.discard(job)
        self._whole.clear()
        self.pictures.clear()

    def _next(self) -> Job | None:
        left = [seed for seed in self.seeds if seed not in self.pictures]
        return self._board.add(replace(self.request, seed=left[0]), lands=False) if left else None
