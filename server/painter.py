# SPDX-License-Identifier: Apache-2.0
"""What a worker does with a job: turn it into a picture, or say what went wrong."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from spade_core.contract.codec import pack_picture
from spade_core.contract.errors import WIRE_ERRORS, Cancelled, Internal, UnknownModel
from spade_core.contract.messages import Submit
from spade_core.synthesis.style import at_strength, between

from .admission import refuse_other_labels
from .backends.messages import Painted, Run, Step, Stopped
from .shelf import Stock, told

Say = Callable[..., None]
_STEP_S = 0.05


class Painter:
    """Paints with a stock of models, until it is given another. `abandoned`: tickets nobody wants, filled by the
    talking thread."""

    def __init__(self, abandoned: set[int]):
        self._abandoned = abandoned
        self._stock = Stock({})

    def take(self, stock: Stock, say: Say) -> None:
        """Paint with these models from now on, and say so."""
        self._stock = stock
        say(stock.ready, stock.label_sets)

    def paint(self, run: Run, buffers: list[memoryview], say: Say) -> None:
        """Make one picture and say Painted, or Stopped with the reason; never raises."""
        try:
            painted, bands = self._painted(run, buffers, say)
        except Exception as problem:
            error = told(problem, "The model failed on this job")
            code = error.code if error.code in WIRE_ERRORS else Internal.code
            say(Stopped(run.ticket, code, error.message, error.fix))
        else:
            say(painted, bands)

    def _painted(self, run: Run, buffers: list[memoryview], say: Say) -> tuple[Painted, list]:
        began = time.perf_counter()
        loaded = self._stock.loaded.get(run.submit.model)
        if loaded is None:  # its worker was replaced, and its file had gone
            raise UnknownModel(f"The model '{run.submit.model}' is no longer there.", "Choose another one.")
        model = loaded.model
        # The job may have been admitted for another checkpoint than is there now.
        refuse_other_labels(run.submit, run.submit.model, model.label_set)
        label_map = np.frombuffer(buffers[0], run.submit.dtype).reshape(run.submit.shape)
        label_map = _resized(label_map, run.submit.output.size)
        style = _style_code(model, run.submit, buffers[1:])
        progress = _reporter(run.ticket, self._abandoned, say)
        progress("painting", 0.0)
        rgb = model.render(label_map, style, run.submit.seed, progress)
        painted_at = time.perf_counter()
        bands = _encoded(rgb, run.submit.output.encoding)
        digest = hashlib.sha256()
        for band in bands:
            digest.update(band)
        return Painted(
            run.ticket,
            (rgb.shape[0], rgb.shape[1]),
            run.submit.output.encoding,
            digest.hexdigest(),
            loaded.info.digest,
            run_ms=(painted_at - began) * 1e3,
            encode_ms=(time.perf_counter() - painted_at) * 1e3,
        ), bands


def _reporter(ticket: int, abandoned: set[int], say: Say) -> Callable[[str, float], None]:
    """A progress callback that also stops the work when nobody wants it."""
    reported_at = 0.0

    def progress(stage: str, fraction: float) -> None:
        nonlocal reported_at
        if ticket in abandoned:
            raise Cancelled("The job was cancelled.")
        if time.monotonic() - reported_at > _STEP_S:
            reported_at = time.monotonic()
            say(Step(ticket, stage, float(fraction)))

    return progress


def _resized(label_map: np.ndarray, size: tuple[int, int] | None) -> np.ndarray:
    """The map at another size by nearest neighbour: averaging ids would invent classes."""
    if size is None or size == label_map.shape:
        return label_map
    rows = np.arange(size[0]) * label_map.shape[0] // size[0]
    columns = np.arange(size[1]) * label_map.shape[1] // size[1]
    return label_map[rows[:, None], columns]


def _style_code(model: Any, submit: Submit, buffers: list[memoryview]) -> np.ndarray | None:
    """The (style_size,) code a job asks for; None leaves it to the job's seed."""
    style = submit.style
    if style.kind == "none" and style.strength == 1:
        return None
    own = model.style_from_seed(submit.seed)
    named = own
    if style.kind == "seed":
        named = model.style_from_seed(style.seed)
    elif style.kind == "image" and style.shape is not None:
        named = model.encode_style(np.frombuffer(buffers[0], np.uint8).reshape(*style.shape, 3))
    return at_strength(between(own, named, style.mix), style.strength)


def _encoded(rgb: np.ndarray, encoding: str) -> list:
    if encoding == "raw":
        return list(pack_picture(rgb))
    from PIL import Image  # only where a client asked for a file

    file = io.BytesIO()
    Image.fromarray(rgb).save(file, encoding, **{} if encoding == "png" else {"quality": 92})
    return [file.getvalue()]
