# SPDX-License-Identifier: Apache-2.0
"""What a worker does with jobs: turn them into pictures, or report what went wrong with each."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from spade_core.contract.codec import pack_picture
from spade_core.contract.errors import (
    WIRE_ERRORS,
    CancelledError,
    InternalError,
    OutOfMemoryError,
    UnknownModelError,
)
from spade_core.contract.progress import ProgressCallback
from spade_core.contract.request import Picture
from spade_core.contract.submission import Buffer, request_from
from spade_core.runtime import return_freed_memory
from spade_core.synthesis.paint import Plan, finished, plan_of

from ..admission import refuse_other_labels
from ..backends.wire import Render, Rendered, RenderFailed, RenderPainting, RenderProgress
from .loaded import LoadedModel, LoadedModels
from .memory import free
from .models import as_spade_error

_PROGRESS_S = 0.05

Order = tuple[Render, Sequence[Buffer]]


class Send(Protocol):
    """Sends a message of backends.wire to the broker."""

    def __call__(self, message: Any, buffers: Sequence[Buffer] = ()) -> None: ...


@dataclass(eq=False)
class _Painting:
    """A job under way. spent_s: on it, or its share of what was spent on its batch."""

    job: Render
    loaded: LoadedModel
    plan: Plan
    spent_s: float = 0.0


class Renderer:
    """Paints with the loaded models, until it is given others."""

    def __init__(
        self, send: Send, abandoned: set[int], waiting: Callable[[], Sequence[Order] | None] = lambda: None
    ):
        """abandoned: tickets nobody wants, filled by another thread. waiting: gives a batch that is to be painted
        between the parts of a large picture; None where there is none."""
        self._send = send
        self._abandoned = abandoned
        self._waiting = waiting
        self._models = LoadedModels({})
        self._reported_at: dict[int, float] = {}
        """When it was last said how far a job is, by ticket."""
        self._ran_out = False
        """Whether a job has ended for lack of memory since memory was last given back."""
        self._began: tuple[float, float] | None = None
        """What `_own_s` and `_between_s` were when the picture was begun; None where no other may come between."""
        self._between_s = 0.0
        """Seconds that were spent on pictures between the parts of others."""

    def use(self, models: LoadedModels) -> None:
        """Paint with these from now on, and tell the broker."""
        self._models = models
        for thumbnails, rgb in models.thumbnails:
            self._send(thumbnails, [rgb])
        self._send(models.ready, models.tables)

    def render(self, orders: Sequence[Order]) -> None:
        """Make a batch's pictures and send for each Rendered, or RenderFailed with the reason; never raises."""
        self._began = (self._own_s(), self._between_s) if len(orders) == 1 else None
        try:
            self._render(orders)
        finally:
            self._began = None
            self._abandoned.difference_update(job.ticket for job, _ in orders)

    def _between_parts(self) -> None:
        """A part of a large picture is done: short ones that wait are painted, until they have had half of the time."""
        if self._began is None:
            return
        (began, before), self._began = self._began, None
        while self._between_s - before < self._own_s() - began and (batch := self._waiting()):
            since = time.perf_counter()
            self._render(batch)
            self._abandoned.difference_update(job.ticket for job, _ in batch)
            self._between_s += time.perf_counter() - since
        self._began = began, before

    def _own_s(self) -> float:
        """A clock that stands still while pictures are painted between the parts of another."""
        return time.perf_counter() - self._between_s

    def _render(self, orders: Sequence[Order]) -> None:
        if self._ran_out:  # now that nothing of that job is left, or the next one would find no more room
            self._ran_out = False
            return_freed_memory()
        self._reported_at.clear()
        begun = []
        for job, buffers in orders:
            try:
                begun.append(self._begun(job, buffers))
            except Exception as problem:
                self._fail(job.ticket, problem)
        if not begun:
            return
        try:
            paintings = self._painted(begun)
        except Exception as problem:
            if len(begun) == 1 or isinstance(problem, CancelledError):
                for each in begun:
                    self._fail(each.job.ticket, problem)
            else:  # one may be at fault, or all be too much together
                for order in orders:
                    if any(order[0] is each.job for each in begun):
                        self._render([order])
            return
        for each, painting in zip(begun, paintings, strict=True):
            try:
                self._finish(each, painting)
            except Exception as problem:
                self._fail(each.job.ticket, problem)

    def _begun(self, job: Render, buffers: Sequence[Buffer]) -> _Painting:
        began, submit = self._own_s(), job.submit
        self._progress_of([job.ticket])("painting", 0.0)
        loaded = self._models.by_name.get(submit.model)
        if loaded is None:  # its worker was replaced, and its file had gone
            raise UnknownModelError(f"The model '{submit.model}' is no longer there.", "Choose another one.")
        # The job may have been admitted for another checkpoint than is there now.
        label_set = loaded.synthesizer.label_set
        refuse_other_labels(submit, submit.model, label_set)
        request = request_from(submit, buffers, label_set)
        upscaler = self._models.upscalers.get(submit.output.upscale)
        plan = plan_of(loaded.synthesizer, request, upscaler)
        self._refuse_without_memory(loaded, plan)
        loaded.synthesizer.between_parts = self._between_parts
        if plan.upscaler is not None:
            plan.upscaler.between_parts = self._between_parts
        return _Painting(job, loaded, plan, self._own_s() - began)

    def _refuse_without_memory(self, loaded: LoadedModel, plan: Plan) -> None:
        """Before the system ends this process, or another. Raises OutOfMemoryError."""
        upscaled = 0 if plan.upscaler is None else plan.size[0] * plan.size[1]
        need = loaded.cost.memory(plan.painted[0] * plan.painted[1], upscaled) + plan.style_bytes
        if 4 * need < self._models.room or not self._models.room:
            return  # not worth the question
        left = free(str(loaded.synthesizer.device))
        if need > left:
            raise OutOfMemoryError(
                f"The picture needs about {need / 1e9:.1f} GB of memory, {left / 1e9:.1f} GB are free.",
                "End other programs, choose a smaller size, or turn upscaling on.",
            )

    def _painted(self, begun: Sequence[_Painting]) -> list[np.ndarray]:
        """What the model gives for each, (h, w, 3) uint8; all are of one model and size."""
        began, first = self._own_s(), begun[0]
        tickets = [each.job.ticket for each in begun]
        progress = self._progress_of(tickets, 1 - max(each.plan.upscaling for each in begun))
        batches = first.loaded.batches
        differed = batches.differ
        paintings = batches.render([each.plan.canvas for each in begun], first.plan.painted, progress)
        if batches.differ != differed:  # the broker is to send them one by one: nobody waits for seven others
            self._send(self._models.ready, self._models.tables)
        for each in begun:
            each.spent_s += (self._own_s() - began) / len(begun)
        return paintings

    def _finish(self, each: _Painting, painting: np.ndarray) -> None:
        began, job = self._own_s(), each.job
        progress = self._progress_of([job.ticket])
        progress("painting", 1 - each.plan.upscaling)

        def on_painting(small: np.ndarray) -> None:
            if job.submit.painting:
                self._send(
                    RenderPainting(job.ticket, (small.shape[0], small.shape[1])), list(pack_picture(small))
                )

        picture = finished(each.loaded.synthesizer, each.plan, painting, progress, on_painting)
        finished_s = self._own_s() - began
        upscaling_s = finished_s if each.plan.upscaler is not None else 0.0
        self._deliver(each, picture, each.spent_s + finished_s, upscaling_s)

    def _deliver(self, each: _Painting, picture: Picture, run_s: float, upscaling_s: float) -> None:
        began, rgb, encoding = time.perf_counter(), picture.rgb, each.job.submit.output.encoding
        bands = _encoded(rgb, encoding)
        digest = hashlib.sha256()
        for band in bands:
            digest.update(band)
        rendered = Rendered(
            each.job.ticket,
            (rgb.shape[0], rgb.shape[1]),
            encoding,
            digest.hexdigest(),
            each.loaded.info.digest,
            run_ms=run_s * 1e3,
            encode_ms=(time.perf_counter() - began) * 1e3,
            upscaler=picture.upscaler,
            upscaling_ms=upscaling_s * 1e3,
        )
        self._send(rendered, bands)

    def _fail(self, ticket: int, problem: Exception) -> None:
        error = as_spade_error(problem, "The model failed on this job")
        self._ran_out = self._ran_out or isinstance(error, OutOfMemoryError)
        code = error.code if error.code in WIRE_ERRORS else InternalError.code
        self._send(RenderFailed(ticket, code, error.message, error.fix))

    def _progress_of(self, tickets: Sequence[int], share: float = 1.0) -> ProgressCallback:
        """Reports how far the pictures are, and stops the work when nobody wants any of them.

        share: of all the work, what is done when 1 is reported.
        """

        def progress(stage: str, done: float) -> None:
            if self._abandoned.issuperset(tickets):
                raise CancelledError("The job was cancelled.")
            now = time.monotonic()
            for ticket in tickets:
                if now - self._reported_at.get(ticket, -_PROGRESS_S) >= _PROGRESS_S:
                    self._reported_at[ticket] = now
                    self._send(RenderProgress(ticket, stage, share * float(done)))

        return progress


def _encoded(rgb: np.ndarray, encoding: str) -> list[Buffer]:
    if encoding == "raw":
        return list(pack_picture(rgb))
    from PIL import Image  # only where a client asked for a file

    file = io.BytesIO()
    Image.fromarray(rgb).save(file, encoding, **{} if encoding == "png" else {"quality": 92})
    return [file.getvalue()]
