# SPDX-License-Identifier: Apache-2.0
"""Which models are served, as the broker knows them: enough to judge a request, no weights."""

from __future__ import annotations

from dataclasses import dataclass

from spade_core.contract.codec import as_many_as_fit
from spade_core.contract.errors import (
    InternalError,
    LabelSetMismatchError,
    UnknownModelError,
    UnknownStyleError,
    WarmingError,
)
from spade_core.contract.labels import LabelSet, parse_label_set
from spade_core.contract.messages import ModelInfo, Problem

from .backends.base import ReadyEvent, ThumbnailsEvent

_PROBLEM_BYTES = 6000
"""Of a header's 16 KiB."""


@dataclass(frozen=True)
class ServedModel:
    """A model and the set of labels that its maps are made with."""

    info: ModelInfo
    label_set: LabelSet


class ServedModels:
    """What the workers have loaded: still nothing, some models, or they cannot even start."""

    def __init__(self) -> None:
        self.loading = True
        self.ms_per_megapixel = 0.0
        self.upscaling_ms_per_megapixel = 1000.0
        self.upscalers: tuple[str, ...] = ()
        self.start_error: InternalError | None = None
        self._by_name: dict[str, ServedModel] = {}
        self._thumbnails: dict[str, ThumbnailsEvent] = {}
        self._problems: tuple[Problem, ...] = ()

    @property
    def infos(self) -> tuple[ModelInfo, ...]:
        """The models for clients."""
        return tuple(model.info for model in self._by_name.values())

    @property
    def state(self) -> str:
        """ "warming", "failed" or "ready"; see messages.Welcome."""
        if self.loading:
            return "warming"
        return "failed" if self.start_error is not None or not self._by_name else "ready"

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong, the server's own first; as many as fit in a header."""
        shown = [
            Problem(problem.model, problem.message[:1000], problem.fix[:500])
            for problem in self._all_problems()
        ]
        return as_many_as_fit(shown, _PROBLEM_BYTES)

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
        label_sets = {each.digest: each for each in map(parse_label_set, event.label_sets)}
        self._by_name = {
            info.name: ServedModel(info, label_sets[info.label_set_digest]) for info in event.ready.models
        }
        digests = {info.digest for info in event.ready.models}
        self._thumbnails = {digest: each for digest, each in self._thumbnails.items() if digest in digests}
        self._problems, self.start_error, self.loading = event.ready.problems, None, False
        self.ms_per_megapixel, self.upscalers = event.ready.ms_per_megapixel, event.ready.upscalers

    def measure(self, run_ms: float, upscaling_ms: float, painted_pixels: int, pixels: int) -> None:
        """Learn from a picture how long others will take."""
        painting = (run_ms - upscaling_ms) / (painted_pixels / 1e6)
        self.ms_per_megapixel += 0.3 * (painting - self.ms_per_megapixel)
        if upscaling_ms:
            upscaling = upscaling_ms / (pixels / 1e6)
            self.upscaling_ms_per_megapixel += 0.3 * (upscaling - self.upscaling_ms_per_megapixel)

    def on_cannot_start(self, reason: str) -> InternalError:
        """Returns what to tell those who wait."""
        self.start_error = InternalError(f"The worker cannot start: {reason}.", "See the server's console.")
        self.loading = False
        return self.start_error

    def _all_problems(self) -> tuple[Problem, ...]:
        if self.start_error is None:
            return self._problems
        return (Problem("", self.start_error.message, self.start_error.fix), *self._problems)
