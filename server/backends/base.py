# SPDX-License-Identifier: Apache-2.0
"""What computes, as the broker and its scheduler see it, and what it reports, wherever its workers run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from spade_core.contract.messages import Submit
from spade_core.contract.server_statistics import WorkerStatus
from spade_core.contract.sockets import Socket
from spade_core.contract.submission import Buffer

from .wire import Ready, Rendered, RenderFailed, RenderPainting, RenderProgress, StyleThumbnails


@dataclass(frozen=True)
class ReadyEvent:
    """A worker is ready; the label sets of its models, as TOML, each once."""

    worker: int
    ready: Ready
    label_sets: list[str]


@dataclass(frozen=True)
class ThumbnailsEvent:
    """The styles of a model that the next ReadyEvent names, as pictures, one after the other."""

    thumbnails: StyleThumbnails
    rgb: bytes


@dataclass(frozen=True)
class PaintingEvent:
    """What an upscaler is going to enlarge for a ticket, as bands."""

    painting: RenderPainting
    buffers: Sequence[Buffer]


@dataclass(frozen=True)
class RenderedEvent:
    """A ticket's picture, as bands or one file."""

    rendered: Rendered
    buffers: Sequence[Buffer]


@dataclass(frozen=True)
class WorkerLost:
    """A worker went down with these tickets; out_of_memory: the system ended it because memory ran out; killed:
    somebody else did."""

    tickets: tuple[int, ...]
    out_of_memory: bool = False
    killed: bool = False


@dataclass(frozen=True)
class WorkerCannotStart:
    """A worker ends before it is ready, again and again; the next one is started after a rest."""

    worker: int
    reason: str


@dataclass(frozen=True)
class Try:
    """A ticket, and what is to be painted for it."""

    ticket: int
    submit: Submit
    buffers: Sequence[Buffer]


BackendEvent = (
    ReadyEvent
    | ThumbnailsEvent
    | RenderProgress
    | PaintingEvent
    | RenderedEvent
    | RenderFailed
    | WorkerLost
    | WorkerCannotStart
)


class Backend(Protocol):
    """Belongs to the broker's thread; nothing of it blocks but `close`."""

    @property
    def socket(self) -> Socket:
        """For the broker's poller: readable when `events` has something to report."""
        ...

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of the workers that run on this machine."""
        ...

    @property
    def workers(self) -> tuple[WorkerStatus, ...]:
        """What each worker does, and how much memory its device has in use."""
        ...

    @property
    def released(self) -> bool:
        """Whether the devices are given back until the next job."""
        ...

    @property
    def worker_count(self) -> int:
        """Workers are known by numbers below this, one for each device, whether their processes run or not."""
        ...

    def idle(self) -> list[int]:
        """The workers that have nothing to paint: `render` may be called."""
        ...

    def between_parts(self) -> list[int]:
        """The workers that have something to paint, and take more: short pictures, to be painted between the parts of
        the large one that they paint. `render` may be called, a job at a time."""
        ...

    def render(self, worker: int, batch: Sequence[Try], expected_s: float, now: float) -> None:
        """Give jobs to a worker; it may be silent about its progress as long as `expected_s` explains."""
        ...

    def abandon(self, ticket: int, now: float) -> None:
        """Nobody wants this ticket any more; its worker is idle again, or replaced, within a second, unless others
        of its batch are still wanted."""
        ...

    def release(self) -> None:
        """Give the devices back, with all that they hold, until `wake`."""
        ...

    def wake(self) -> None:
        """Start what was released."""
        ...

    def events(self, now: float) -> list[BackendEvent]:
        """What happened since the last call; call it often, as workers are also watched here."""
        ...

    def close(self) -> None:
        """End the workers for good."""
        ...
