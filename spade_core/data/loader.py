# SPDX-License-Identifier: Apache-2.0
"""Batches made ahead of the training by worker processes, in order."""

from __future__ import annotations

import copy
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch.utils.data import DataLoader, Dataset

from ..contract.errors import OutOfMemoryError, SpadeError, UnavailableError
from .crops import CropBatch, CropSampler

MOST_WORKERS = 16
AHEAD = 2
"""Batches that wait ready, for each worker."""
LONGEST_WAIT_S = 300
"""For a batch: then something is wrong."""
SHARED_MEMORY = Path("/dev/shm")
"""Through which worker processes hand over batches on Linux."""


class Loader:
    """Iterates over batch `start`, start + 1, ... without end; close it, or use it in a `with` block.

    device: where the batches go; for a CUDA one they lie in pinned memory: `tensor.to(device, non_blocking=True)`.
    workers: processes that make batches, each a whole one; 0 makes them here, when they are asked for. `ahead` batches
    a worker wait ready. Batches come in order, and each is what `sampler[index]` gives, whoever made it.
    Errors of a worker are raised here as they are.
    """

    def __init__(
        self, sampler: CropSampler, start: int, device: torch.device, workers: int, ahead: int = AHEAD
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
            timeout=LONGEST_WAIT_S if workers else 0,
            pin_memory=device.type == "cuda",
            prefetch_factor=ahead if workers else None,
            collate_fn=_as_it_is,
            worker_init_fn=_leave_signals_alone,
            generator=torch.Generator(),  # or it would draw a number from the training's own
        )
        self._iterator: Iterator | None = None
        self.waiting = False
        """Whether a batch is waited for just now: an exception that a signal's handler raises then costs no step."""

    def __iter__(self) -> Iterator[CropBatch]:
        self._iterator = iter(self._batches)
        if self.workers and os.name == "posix" and threading.current_thread() is threading.main_thread():
            # DataLoader would raise in the middle of a step when a worker dies. Its own look, while a batch is waited
            # for, finds that as well.
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        while True:
            self.waiting = True
            try:
                made, seconds = next(self._iterator)
            except MemoryError:
                raise OutOfMemoryError(
                    "There is too little memory to read the photos of a batch.",
                    "The same command goes on, also with a lower --batch or with --workers 0.",
                ) from None
            except RuntimeError as problem:  # what DataLoader raises for all that befalls its processes
                raise _lost_worker(problem) from None
            finally:
                self.waiting = False
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
        """End the workers, also one that waits for a disk that does not answer."""
        stop = getattr(self._iterator, "_shutdown_workers", None)
        if stop is not None:
            stop()
            for worker in self._iterator._workers:  # type: ignore[union-attr]
                worker.kill()  # DataLoader's TERM they leave alone, and Python would wait for them at its end
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


def workers_that_fit(workers: int, batch_bytes: int) -> int:
    """At most so many that their batches have room in the memory through which processes hand them over: in a container
    it is often 64 MB, and full, it would hold up training for ever."""
    try:
        free = shutil.disk_usage(SHARED_MEMORY).free
    except OSError:
        return workers  # not Linux
    return min(workers, free // ((AHEAD + 1) * max(1, batch_bytes)))


def _lost_worker(problem: RuntimeError) -> UnavailableError:
    if "killed by signal" in str(problem) or "exited unexpectedly" in str(problem):
        said = "A process that reads photos was ended from outside, perhaps because memory ran out."
        return UnavailableError(said, "The same command goes on; add --workers 0, or free memory.")
    if "timed out" in str(problem):
        said = f"No batch of photos came within {LONGEST_WAIT_S} seconds."
        return UnavailableError(
            said,
            "Look whether the disk answers and /dev/shm has room; the same command goes on, also with --workers 0.",
        )
    raise problem


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
