# SPDX-License-Identifier: Apache-2.0
"""What a worker does with a job: turn it into a picture, or report what went wrong."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from spade_core.contract.codec import pack_picture
from spade_core.contract.errors import WIRE_ERRORS, CancelledError, InternalError, UnknownModelError
from spade_core.contract.progress import ProgressCallback
from spade_core.contract.submission import Buffer, request_from
from spade_core.synthesis.paint import paint

from ..admission import refuse_other_labels
from ..backends.wire import Render, Rendered, RenderFailed, RenderPainting, RenderProgress
from .loaded import LoadedModels
from .models import as_spade_error

_PROGRESS_S = 0.05


class Send(Protocol):
    """Sends a message of backends.wire to the broker."""

    def __call__(self, message: Any, buffers: Sequence[Buffer] = ()) -> None: ...


class Renderer:
    """Paints with the loaded models, until it is given others. `abandoned`: tickets nobody wants, filled by another
    thread."""

    def __init__(self, send: Send, abandoned: set[int]):
        self._send = send
        self._abandoned = abandoned
        self._models = LoadedModels({})

    def use(self, models: LoadedModels) -> None:
        """Paint with these from now on, and tell the broker."""
        self._models = models
        for thumbnails, rgb in models.thumbnails:
            self._send(thumbnails, [rgb])
        self._send(models.ready, models.tables)

    def render(self, job: Render, buffers: Sequence[Buffer]) -> None:
        """Make one picture and send Rendered, or RenderFailed with the reason; never raises."""
        try:
            rendered, bands = self._rendered(job, buffers)
        except Exception as problem:
            error = as_spade_error(problem, "The model failed on this job")
            code = error.code if error.code in WIRE_ERRORS else InternalError.code
            self._send(RenderFailed(job.ticket, code, error.message, error.fix))
        else:
            self._send(rendered, bands)

    def _rendered(self, job: Render, buffers: Sequence[Buffer]) -> tuple[Rendered, list[Buffer]]:
        began, submit = time.perf_counter(), job.submit
        loaded = self._models.by_name.get(submit.model)
        if loaded is None:  # its worker was replaced, and its file had gone
            raise UnknownModelError(f"The model '{submit.model}' is no longer there.", "Choose another one.")
        # The job may have been admitted for another checkpoint than is there now.
        label_set = loaded.synthesizer.label_set
        refuse_other_labels(submit, submit.model, label_set)
        request = request_from(submit, buffers, label_set)
        small_at: list[float] = []

        def on_painting(painting: np.ndarray) -> None:
            small_at.append(time.perf_counter())
            if submit.painting:
                shape = painting.shape[0], painting.shape[1]
                self._send(RenderPainting(job.ticket, shape), list(pack_picture(painting)))

        upscaler = self._models.upscalers.get(submit.output.upscale)
        picture = paint(loaded.synthesizer, request, self._progress_of(job.ticket), on_painting, upscaler)
        rgb, painted_at = picture.rgb, time.perf_counter()
        bands = _encoded(rgb, submit.output.encoding)
        digest = hashlib.sha256()
        for band in bands:
            digest.update(band)
        return Rendered(
            job.ticket,
            (rgb.shape[0], rgb.shape[1]),
            submit.output.encoding,
            digest.hexdigest(),
            loaded.info.digest,
            run_ms=(painted_at - began) * 1e3,
            encode_ms=(time.perf_counter() - painted_at) * 1e3,
            upscaler=picture.upscaler,
            upscaling_ms=(painted_at - small_at[0]) * 1e3 if small_at else 0.0,
        ), bands

    def _progress_of(self, ticket: int) -> ProgressCallback:
        """Reports how far the picture is, and stops the work when nobody wants it."""
        reported_at = 0.0

        def progress(stage: str, done: float) -> None:
            nonlocal reported_at
            if ticket in self._abandoned:
                raise CancelledError("The job was cancelled.")
            if time.monotonic() - reported_at > _PROGRESS_S:
                reported_at = time.monotonic()
                self._send(RenderProgress(ticket, stage, float(done)))

        return progress


def _encoded(rgb: np.ndarray, encoding: str) -> list[Buffer]:
    if encoding == "raw":
        return list(pack_picture(rgb))
    from PIL import Image  # only where a client asked for a file

    file = io.BytesIO()
    Image.fromarray(rgb).save(file, encoding, **{} if encoding == "png" else {"quality": 92})
    return [file.getvalue()]
