# SPDX-License-Identifier: Apache-2.0
"""What a worker does: load models, turn a job into a picture, and say what went wrong."""

from __future__ import annotations

import hashlib
import io
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from spade_core.contract.codec import pack_picture
from spade_core.contract.errors import WIRE_ERRORS, Cancelled, Internal, OutOfMemory, SpadeError
from spade_core.contract.messages import ModelInfo, Submit
from spade_core.synthesis.style import at_strength, between

from .backends.messages import Assignment, LoadProblem, Painted, Ready, Run, Step, Stopped

Say = Callable[..., None]
_STEP_S = 0.05


class Painter:
    """Holds the loaded models. `abandoned`: tickets nobody wants, filled by the talking thread."""

    def __init__(self, synthesizer: Callable[[], Any], assignment: Assignment, abandoned: set[int]):
        self._synthesizer = synthesizer
        self._assignment = assignment
        self._abandoned = abandoned
        self._models: dict[str, Any] = {}

    def load(self, say: Say) -> None:
        """Load every model and paint with each, so that the first user need not wait; then say Ready."""
        loaded: list[ModelInfo] = []
        label_sets: list[bytes] = []
        problems: list[LoadProblem] = []
        speed = 0.0
        for name in self._assignment.models:
            try:
                model = self._synthesizer().load(name, self._assignment.device)
                speed = max(speed, _warm_up(model))
            except Exception as problem:
                error = _told(problem, f"The model '{name}' cannot be loaded")
                problems.append(LoadProblem(Path(name).stem, error.message, error.fix))
                continue
            self._models[model.name] = model
            labels = model.label_set
            label_sets.append(labels.to_toml().encode())
            loaded.append(
                ModelInfo(
                    model.name, model.digest, labels.name, labels.digest, model.native_size, model.style_size
                )
            )
        say(Ready(tuple(loaded), tuple(problems), speed), label_sets)

    def paint(self, run: Run, buffers: list[memoryview], say: Say) -> None:
        """Make one picture and say Painted, or Stopped with the reason; never raises."""
        try:
            painted, bands = self._painted(run, buffers, say)
        except Exception as problem:
            error = _told(problem, "The model failed on this job")
            code = error.code if error.code in WIRE_ERRORS else Internal.code
            say(Stopped(run.ticket, code, error.message, error.fix))
        else:
            say(painted, bands)

    def _painted(self, run: Run, buffers: list[memoryview], say: Say) -> tuple[Painted, list]:
        began = time.perf_counter()
        model = self._models[run.submit.model]
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
            run_ms=(painted_at - began) * 1e3,
            encode_ms=(time.perf_counter() - painted_at) * 1e3,
        ), bands


def _warm_up(model: Any) -> float:
    """Milliseconds for a megapixel, measured on a second picture: the first one also fills caches."""
    side = model.native_size
    rows = np.arange(side) * len(model.label_set.classes) // side
    ids = np.array([entry.id for entry in model.label_set.classes], model.label_set.dtype)
    label_map = np.ascontiguousarray(np.broadcast_to(ids[rows][:, None], (side, side)))
    model.render(label_map, None, 0)
    began = time.perf_counter()
    model.render(label_map, None, 1)
    return (time.perf_counter() - began) * 1e3 / (side * side / 1e6)


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


def _told(problem: Exception, what: str) -> SpadeError:
    """Any exception as an error for people; what was not foreseen is printed on the server's console."""
    if isinstance(problem, SpadeError):
        return problem
    text = str(problem).lower()
    if isinstance(problem, MemoryError) or "out of memory" in text or "can't allocate memory" in text:
        return OutOfMemory("The device has too little memory for this picture.", "Choose a smaller size.")
    traceback.print_exception(problem)
    first_line = (str(problem).splitlines() or [""])[0][:200]
    return Internal(f"{what}: {type(problem).__name__}: {first_line}", "See the server's console.")
