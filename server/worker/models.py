# SPDX-License-Identifier: Apache-2.0
"""The models of a worker, loaded and kept up to date while it paints.

A run folder is looked at once a second. A newer checkpoint is loaded and tried beside the one that paints, and
handed over when it works; one that does not is reported and the older stays. `LoadedModels` is what is handed over,
whole and unchangeable, so a picture is always of one checkpoint.
"""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spade_core.checkpoint.sources import CheckpointVersion, ModelSource, checkpoint_versions, is_unchanged
from spade_core.contract.errors import BadCheckpointError, InternalError, OutOfMemoryError, SpadeError
from spade_core.contract.messages import ModelInfo, Problem
from spade_core.runtime import is_out_of_memory
from spade_core.upscaling.names import available

from ..backends.wire import Ready, StyleThumbnails

if TYPE_CHECKING:
    from spade_core.synthesis.synthesizer import Synthesizer  # imports torch, and tests name another
    from spade_core.upscaling.upscaler import Upscaler

LOOK_S = 1.0


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model that has painted a picture already."""

    version: CheckpointVersion
    synthesizer: Synthesizer
    info: ModelInfo
    ms_per_megapixel: float


@dataclass(frozen=True, eq=False)
class LoadedModels:
    """All that can be painted with, by the names clients use, and what could not be loaded."""

    by_name: dict[str, LoadedModel]
    problems: tuple[Problem, ...] = ()
    upscalers: dict[str, Upscaler] = field(default_factory=dict)
    """Those of files; the installed ones are loaded when a picture wants them."""

    @property
    def ready(self) -> Ready:
        """What the broker has to know."""
        speed = max((each.ms_per_megapixel for each in self.by_name.values()), default=0.0)
        infos = tuple(each.info for each in self.by_name.values())
        return Ready(infos, self.problems, speed, (*available(), *self.upscalers))

    @property
    def thumbnails(self) -> list[tuple[StyleThumbnails, bytes]]:
        """The named styles of each model that has some, as pictures."""
        found = []
        for each in self.by_name.values():
            if styles := each.synthesizer.named_styles:
                rgb = np.stack([style.thumbnail for style in styles])
                shape = rgb.shape[1], rgb.shape[2]
                found.append((StyleThumbnails(each.synthesizer.digest, shape), rgb.tobytes()))
        return found

    @property
    def label_sets(self) -> list[bytes]:
        """Each model's label set, as TOML, in the order of `ready`."""
        return [each.synthesizer.label_set.to_toml().encode() for each in self.by_name.values()]


class ModelLoader:
    """Loads the newest version of one source that can be loaded."""

    def __init__(self, source: ModelSource, synthesizer: Callable[[], type[Synthesizer]], device: str):
        self.source = source
        self.loaded: LoadedModel | None = None
        self.problem: Problem | None = None
        self._synthesizer, self._device = synthesizer, device
        self._refused: dict[CheckpointVersion, SpadeError] = {}

    def look(self) -> bool:
        """Load the newest version that can be loaded, unless it is. Returns whether anything changed."""
        before = self.loaded, self.problem
        try:
            found = self._load_newest()
            self.problem = self._problem_with(found)
        except OSError as trouble:
            self.problem = Problem(
                self.source.name,
                f"The run folder '{self.source.path}' cannot be read: {trouble.strerror}.",
                "Check that it is a folder and that this user may read it.",
            )
        return (self.loaded, self.problem) != before

    def _versions(self) -> Iterator[CheckpointVersion]:
        path = self.source.path
        return checkpoint_versions(Path(path)) if self.source.is_run else iter([CheckpointVersion(path)])

    def _load_newest(self) -> CheckpointVersion | None:
        """Returns the newest version that is there, loaded or refused. What is loaded stays, also when its file is
        gone, until there is another."""
        newest = None
        for version in self._versions():
            newest = newest or version
            if self.loaded is not None and version == self.loaded.version:
                break
            if version in self._refused:
                continue
            try:
                self.loaded = self._load(version)
                break
            except Exception as problem:
                self._refused[version] = _load_error(version, problem)
        return newest

    def _load(self, version: CheckpointVersion) -> LoadedModel:
        synthesizer = self._synthesizer().load(version.path, self._device)
        if not is_unchanged(version):  # its digest and its weights may be of two files
            raise BadCheckpointError(f"{version.file_name} changed while it was read.", "It is read again.")
        speed = _warm_up(synthesizer)
        labels = synthesizer.label_set
        info = ModelInfo(
            self.source.name,
            synthesizer.digest,
            labels.name,
            labels.digest,
            synthesizer.native_size,
            synthesizer.style_size,
            file=version.file_name if self.source.is_run else "",
            trained_size=synthesizer.trained_size,
            styles=tuple(style.name for style in synthesizer.named_styles),
        )
        return LoadedModel(version, synthesizer, info, speed)

    def _problem_with(self, newest: CheckpointVersion | None) -> Problem | None:
        if newest is None:
            return None if self.loaded is not None else _nothing_yet(self.source)
        error = self._refused.get(newest)
        if error is None:
            return None
        meanwhile = (
            f"Until then '{self.source.name}' is {self.loaded.version.file_name}." if self.loaded else ""
        )
        return Problem(self.source.name, error.message, f"{error.fix} {meanwhile}".strip())


class ModelStore:
    """All models of a worker; belongs to one thread at a time."""

    def __init__(
        self,
        models: Sequence[ModelSource],
        synthesizer: Callable[[], type[Synthesizer]],
        device: str,
        upscalers: dict[str, str] | None = None,
    ):
        """upscalers: files by name."""
        self._loaders = [ModelLoader(source, synthesizer, device) for source in models]
        self._device, self._upscaler_files = device, upscalers or {}
        self._upscalers: dict[str, Upscaler] = {}
        self._upscaler_problems: list[Problem] = []

    def load(self) -> LoadedModels:
        """Everything there is now."""
        for loader in self._loaders:
            loader.look()
        for name, path in self._upscaler_files.items():
            try:
                self._upscalers[name] = _upscaler(path, self._device)
            except Exception as problem:
                error = as_spade_error(problem, f"The upscaler '{path}' cannot be loaded")
                self._upscaler_problems.append(Problem(name, error.message, error.fix))
        return self._loaded()

    def follow(self, hand_over: Callable[[LoadedModels], None]) -> None:
        """Look for newer checkpoints for ever; returns at once where none can come."""
        followed = [loader for loader in self._loaders if loader.source.is_run]
        while followed:
            time.sleep(LOOK_S)
            for loader in followed:
                if loader.look():
                    hand_over(self._loaded())

    def _loaded(self) -> LoadedModels:
        by_name = {each.source.name: each.loaded for each in self._loaders if each.loaded is not None}
        problems = tuple(each.problem for each in self._loaders if each.problem is not None)
        return LoadedModels(by_name, (*problems, *self._upscaler_problems), self._upscalers)


def _upscaler(path: str, device: str) -> Upscaler:
    from spade_core.upscaling.upscaler import Upscaler

    return Upscaler.load(Path(path), device)


def as_spade_error(problem: Exception, what: str) -> SpadeError:
    """Any exception as an error for people; what was not foreseen is printed on the server's console."""
    if isinstance(problem, SpadeError):
        return problem
    if is_out_of_memory(problem):
        return OutOfMemoryError(
            "The device has too little memory for this picture.", "Choose a smaller size."
        )
    traceback.print_exception(problem)
    first_line = (str(problem).splitlines() or [""])[0][:200]
    return InternalError(f"{what}: {type(problem).__name__}: {first_line}", "See the server's console.")


def _load_error(version: CheckpointVersion, problem: Exception) -> SpadeError:
    error = as_spade_error(problem, f"The model '{version.path}' cannot be loaded")
    if not isinstance(error, OutOfMemoryError):
        return error
    return OutOfMemoryError(
        f"The device has too little memory to load '{version.file_name}' beside what it holds already.",
        "Start the server again, or serve fewer models.",
    )


def _nothing_yet(run: ModelSource) -> Problem:
    return Problem(
        run.name,
        f"The run '{run.name}' has no model yet: there is no '{os.path.join(run.path, 'model_*.safetensors')}'.",
        "It is served as soon as its training writes the first one; check the path if none is under way.",
    )


def _warm_up(synthesizer: Synthesizer) -> float:
    """Milliseconds for a megapixel, measured on a second picture: the first one also fills caches."""
    side = synthesizer.native_size
    rows = np.arange(side) * len(synthesizer.label_set.classes) // side
    ids = np.array([entry.id for entry in synthesizer.label_set.classes], synthesizer.label_set.dtype)
    label_map = np.ascontiguousarray(np.broadcast_to(ids[rows][:, None], (side, side)))
    synthesizer.render(label_map, None, 0)
    began = time.perf_counter()
    synthesizer.render(label_map, None, 1)
    return (time.perf_counter() - began) * 1e3 / (side * side / 1e6)
