# SPDX-License-Identifier: Apache-2.0
"""Which models are served, as the broker knows them: enough to judge a request, no weights."""

from __future__ import annotations

from dataclasses import dataclass

from spade_core.contract.codec import as_many_as_fit
from spade_core.contract.errors import (
    InternalError,
    LabelSetMismatchError,
    OutOfMemoryError,
    UnknownModelError,
    UnknownStyleError,
    WarmingError,
)
from spade_core.contract.labels import LabelSet, parse_label_set
from spade_core.contract.messages import ModelInfo, Problem

from .backends.base import ReadyEvent, ThumbnailsEvent, WorkerCannotStart
from .backends.wire import PaintingCost, Ready

_PROBLEM_BYTES = 6000
"""Of a header's 16 KiB."""


@dataclass(frozen=True)
class ServedModel:
    """A model and the set of labels that its maps are made with."""

    info: ModelInfo
    label_set: LabelSet


@dataclass(frozen=True)
class _Worker:
    """What a worker serves, or served when it was last heard of: it comes back with the same."""

    ready: Ready
    label_sets: dict[str, LabelSet]
    costs: dict[str, PaintingCost]


class ServedModels:
    """What the workers have loaded: still nothing, some models, or they cannot even start."""

    def __init__(self, worker_count: int) -> None:
        self.loading = True
        self.ms_per_megapixel = 0.0
        self.upscaling_ms_per_megapixel = 1000.0
        self.upscalers: tuple[str, ...] = ()
        self.preview = ""
        """As in Welcome."""
        self.start_error: InternalError | None = None
        self._worker_count = worker_count
        self._workers: dict[int, _Worker] = {}
        self._read: dict[str, LabelSet] = {}
        """The label sets of the last worker that was ready, by their text."""
        self._cannot_start: set[int] = set()
        self._by_name: dict[str, ServedModel] = {}
        self._thumbnails: dict[str, ThumbnailsEvent] = {}
        self._problems: tuple[Problem, ...] = ()
        self.infos: tuple[ModelInfo, ...] = ()
        """The models for clients."""
        self.problems: tuple[Problem, ...] = ()
        """What is wrong, the server's own first; as many as fit in a header."""

    @property
    def state(self) -> str:
        """ "warming", "failed" or "ready"; see messages.Welcome."""
        if self.loading:
            return "warming"
        return "failed" if self.start_error is not None or not self._by_name else "ready"

    def has_problem(self, model: str) -> bool:
        """Whether this model could not be loaded, or not its newest version."""
        return any(problem.model == model for problem in self._problems)

    def require(self, name: str) -> ServedModel:
        """The model of this name.

        Raises WarmingError, UnknownModelError, and InternalError where no worker can start.
        """
        if self.loading:
            raise WarmingError(
                "The server is loading its model.", "It takes a few seconds.", retry_after_ms=300
            )
        if self.start_error is not None:
            raise self.start_error
        if name in self._by_name:
            return self._by_name[name]
        for problem in self._problems:
            if problem.model == name:
                raise UnknownModelError(problem.message, problem.fix)
        raise UnknownModelError(
            f"This server has no model '{name[:80]}'.",
            f"Choose one of: {', '.join(sorted(self._by_name))}, or start the server with --models.",
        )

    def label_set(self, digest: str) -> LabelSet:
        """The label set of this digest. Raises LabelSetMismatchError where no model uses it."""
        for model in self._by_name.values():
            if model.info.label_set_digest == digest:
                return model.label_set
        raise LabelSetMismatchError(
            "No model of this server uses that label set.", "Ask for one that Welcome names."
        )

    def thumbnails(self, digest: str) -> tuple[tuple[int, int], bytes]:
        """Pictures of a model's styles: their (height, width), and the rgb of all. Raises UnknownStyleError."""
        if digest not in self._thumbnails:
            raise UnknownStyleError(
                "No model of this digest has named styles.", "Ask for one that Welcome names."
            )
        event = self._thumbnails[digest]
        return event.thumbnails.shape, event.rgb

    def on_thumbnails(self, event: ThumbnailsEvent) -> None:
        """A worker will be ready with a model of these styles."""
        self._thumbnails[event.thumbnails.model_digest] = event

    def on_ready(self, event: ReadyEvent) -> None:
        """A worker paints with these from now on."""
        ready = event.ready
        # Workers say the same again and again, and a set of thousands of classes takes long to read.
        self._read = {text: self._read.get(text) or parse_label_set(text) for text in event.label_sets}
        label_sets = {each.digest: each for each in self._read.values()}
        costs = {info.name: cost for info, cost in zip(ready.models, ready.costs, strict=False)}
        before = {model.info.digest for model in self._by_name.values()}
        self._workers.pop(event.worker, None)
        self._workers[event.worker] = _Worker(ready, label_sets, costs)  # the last word on a model they share
        self._cannot_start.discard(event.worker)
        self.start_error, self.loading = None, False
        self.ms_per_megapixel = ready.ms_per_megapixel
        self._gather()
        gone = before - {model.info.digest for model in self._by_name.values()}
        self._thumbnails = {digest: each for digest, each in self._thumbnails.items() if digest not in gone}

    def can_paint(self, worker: int, name: str, painted_pixels: int, upscaled_pixels: int = 0) -> bool:
        """Whether a worker has the model, and room for a picture of this size."""
        served = self._workers.get(worker)
        if served is None or name not in served.costs:
            return False
        return (
            not served.ready.room
            or self._need(served, name, painted_pixels, upscaled_pixels) <= served.ready.room
        )

    def can_batch(self, worker: int, name: str) -> bool:
        """Whether a worker may be given several pictures of the model at once."""
        served = self._workers.get(worker)
        return served is not None and name in served.costs and served.costs[name].batches

    def refuse_too_large(self, name: str, painted_pixels: int, upscaled_pixels: int = 0) -> None:
        """Raises OutOfMemoryError where no device can hold a picture of this size."""
        if any(self.can_paint(worker, name, painted_pixels, upscaled_pixels) for worker in self._workers):
            return
        served = max(
            (each for each in self._workers.values() if name in each.costs), key=lambda each: each.ready.room
        )
        need = self._need(served, name, painted_pixels, upscaled_pixels)
        largest = served.costs[name].largest_side(served.ready.room)
        raise OutOfMemoryError(
            f"The picture needs about {need / 1e9:.1f} GB of memory, this server's device has "
            f"{served.ready.room / 1e9:.1f} GB for it.",
            f"Turn upscaling on, or choose a smaller size: up to {largest} x {largest} pixels can be painted."
            if not upscaled_pixels
            else "Choose a smaller size.",
        )

    def is_heavy(self, name: str, painted_pixels: int, upscaled_pixels: int = 0) -> bool:
        """Whether a picture takes half of what a device can hold, or more."""
        return any(
            each.ready.room and 2 * self._need(each, name, painted_pixels, upscaled_pixels) > each.ready.room
            for each in self._workers.values()
            if name in each.costs
        )

    def _need(self, served: _Worker, name: str, painted_pixels: int, upscaled_pixels: int) -> float:
        return served.costs[name].memory(painted_pixels, upscaled_pixels)

    def _gather(self) -> None:
        """All that some worker serves."""
        self._by_name, self._problems, self.upscalers, self.preview = {}, (), (), ""
        for worker in self._workers.values():
            for info in worker.ready.models:
                self._by_name[info.name] = ServedModel(info, worker.label_sets[info.label_set_digest])
            self.upscalers = worker.ready.upscalers
            self.preview = self.preview or worker.ready.preview
            new = (problem for problem in worker.ready.problems if problem not in self._problems)
            self._problems = (*self._problems, *new)
        self.infos = tuple(model.info for model in self._by_name.values())
        self._tell_problems()

    def measure(self, run_ms: float, upscaling_ms: float, painted_pixels: int, pixels: int) -> None:
        """Learn from a picture how long others will take."""
        painting = (run_ms - upscaling_ms) / (painted_pixels / 1e6)
        # That it takes longer is believed at once: a batch of what was thought quick would keep everybody waiting.
        self.ms_per_megapixel = max(
            painting, self.ms_per_megapixel + 0.3 * (painting - self.ms_per_megapixel)
        )
        if upscaling_ms:
            upscaling = upscaling_ms / (pixels / 1e6)
            self.upscaling_ms_per_megapixel += 0.3 * (upscaling - self.upscaling_ms_per_megapixel)

    def on_cannot_start(self, event: WorkerCannotStart) -> InternalError | None:
        """Returns what to tell those who wait, where no worker is left."""
        self._workers.pop(event.worker, None)
        self._cannot_start.add(event.worker)
        if len(self._cannot_start) < self._worker_count:
            self._gather()
            return None
        self.start_error = InternalError(
            f"The worker cannot start: {event.reason}.", "See the server's console."
        )
        self.loading = False
        self._tell_problems()
        return self.start_error

    def _tell_problems(self) -> None:
        error = self.start_error
        own = () if error is None else (Problem("", error.message, error.fix),)
        shown = [Problem(each.model, each.message[:1000], each.fix[:500]) for each in (*own, *self._problems)]
        self.problems = as_many_as_fit(shown, _PROBLEM_BYTES)
