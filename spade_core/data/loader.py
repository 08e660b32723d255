# SPDX-License-Identifier: Apache-2.0
"""Batches made ahead of the training by worker processes, in order."""

from __future__ import annotations

import copy
import os
import signal
import time
from collections.abc import Iterator

import torch
from torch.utils.data import DataLoader, Dataset

from ..contract.errors import SpadeError
from .crops import CropBatch, CropSampler

MOST_WORKERS = 16


class Loader:
    """Iterates over batch `start`, start + 1, ... without end; close it, or use it in a `with` block.

    device: where the batches go; for a CUDA one they lie in pinned memory: `tensor.to(device, non_blocking=True)`.
    workers: processes that make batches, each a whole one; 0 makes them here, when they are asked for. `ahead` batches
    a worker wait ready. Batches come in order, and each is what `sampler[index]` gives, whoever made it.
    Errors of a worker are raised here as they are.
    """

    def __init__(
        self, sampler: CropSampler, start: int, device: torch.device, workers: int, ahead: int = 2
    ) -> None:
        sampler = copy.copy(sampler)
        sampler.cache_bytes //= max(1, workers)  # every worker keeps decoded pairs of its own
        self.workers = workers
        self._rows = sampler.batch // sampler.ranks
        self._seconds = 0.0
        self._made = 0
        self._batches = DataLoader(
            _Batches(sampler),
            batch_size=None,
            sampler=_CountingFrom(start),
            num_workers=workers,
            pin_memory=device.type == "cuda",
            prefetch_factor=ahead if workers else None,
            collate_fn=_as_it_is,
            worker_init_fn=_leave_signals_alone,
            generator=torch.Generator(),  # or it would draw a number from the training's own
        )
        self._iterator: Iterator | None = None

    def __iter__(self) -> Iterator[CropBatch]:
        self._iterator = iter(self._batches)
        while True:
            made, seconds = next(self._iterator)
            if isinstance(made, SpadeError):
                raise made
            self._seconds += seconds
            self._made += 1
            yield made

    @property
    def images_per_second(self) -> float:
        """What the workers can make together, whatever is taken from them; 0 before the first batch."""
        return self._made * self._rows * max(1, self.workers) / self._seconds if self._seconds else 0.0

    def close(self) -> None:
        """End the workers."""
        stop = getattr(self._iterator, "_shutdown_workers", None)
        if stop is not None:
            stop()
        self._iterator = None

    def __enter__(self) -> Loader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def default_workers(device: torch.device, ranks_here: int = 1) -> int:
    """A worker a core for a GPU, its processes on this host sharing them; one for the CPU, which is busy itself."""
    if device.type == "cpu":
        return 1
    return max(1, min(MOST_WORKERS, (os.cpu_count() or 2) // ranks_here - 1))


class _Batches(Dataset):
    """What runs in a worker: a batch by its number, and the seconds it took."""

    def __init__(self, sampler: CropSampler) -> None:
        self.sampler = sampler

    def __getitem__(self, index: int) -> tuple[CropBatch | SpadeError, float]:
        started = time.perf_counter()
        try:
            return self.sampler[index], time.perf_counter() - started
        except SpadeError as error:
            return error, 0.0  # DataLoader would raise it again with a traceback for its message


class _CountingFrom:
    """The batch numbers, without end."""

    def __init__(self, start: int) -> None:
        self.start = start

    def __iter__(self) -> Iterator[int]:
        index = self.start
        while True:
            yield index
            index += 1


def _leave_signals_alone(_: int) -> None:
    """Ctrl-C and a scheduler's TERM reach every process of a group: the one that trains ends the workers when it has
    saved. If it is killed they notice."""
    for signaled in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signaled, signal.SIG_IGN)


def _as_it_is(made: object) -> object:
    return made
