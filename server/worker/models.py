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
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spade_core.checkpoint.sources import (
    CheckpointVersion,
    ModelSource,
    checkpoint_versions,
    file_version,
    is_unchanged,
)
from spade_core.contract.errors import BadCheckpointError, InternalError, OutOfMemoryError, SpadeError
from spade_core.contract.limits import MIN_SIDE
from spade_core.contract.messages import ModelInfo, Problem
from spade_core.runtime import is_out_of_memory
from spade_core.synthesis.batches import Batches

from ..backends.wire import Loading, PaintingCost
from .loaded import LoadedModel, LoadedModels
from .memory import peak_of, room

if TYPE_CHECKING:
    from spade_core.synthesis.synthesizer import Synthesizer  # imports torch, and tests name another
    from spade_core.upscaling.upscaler import Upscaler

LOOK_S = 1.0
_MOST_TERMS = 1000
"""Letters of a model's terms: a file may say anything."""
_SPREAD_S = 0.05
"""For the word that a file is loaded to get out of this process, which the file may end."""

Say = Callable[[Loading], None]


class ModelLoader:
    """Loads the newest version of one source that can be loaded."""

    def __init__(
        self,
        source: ModelSource,
        synthesizer: Callable[[], type[Synthesizer]],
        device: str,
        set_aside: Sequence[CheckpointVersion],
    ):
        """set_aside: versions that ended a worker whenever they were loaded: they are left alone."""
        self.source = source
        self.loaded: LoadedModel | None = None
        self.problem: Problem | None = None
        self._synthesizer, self._device = synthesizer, device
        self._refused: dict[CheckpointVersion, SpadeError] = {
            version: BadCheckpointError(
                f"'{version.file_name}' ended the server's worker whenever it was loaded, and is left alone.",
                "Replace the file; or free memory, and start the server again.",
            )
            for version in set_aside
        }

    @property
    def may_change(self) -> bool:
        """Whether there may be something newer to load: in a run always, a file is read once."""
        return self.source.is_run or self.loaded is None

    def look(self, say: Say) -> bool:
        """Load the newest version that can be loaded, unless it is. Returns whether anything changed.

        say: told before a file is loaded, and after.
        """
        before = self.loaded, self.problem
        try:
            found = self._load_newest(say)
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
        return checkpoint_versions(Path(path)) if self.source.is_run else iter([file_version(path)])

    def _load_newest(self, say: Say) -> CheckpointVersion | None:
        """Returns the newest version that is there, loaded or refused. What is loaded stays, also when its file is
        gone, until there is another."""
        newest = None
        for version in self._versions():
            newest = newest or version
            if self.loaded is not None and version == self.loaded.version:
                break
            if version in self._refused:
                continue
            say(Loading(version))
            time.sleep(_SPREAD_S)
            try:
                self.loaded = self._load(version)
                break
            except Exception as problem:
                self._refused[version] = _load_error(version, problem)
            finally:
                say(Loading(None))
        return newest

    def _load(self, version: CheckpointVersion) -> LoadedModel:
        synthesizer = self._synthesizer().load(version.path, self._device)
        if not is_unchanged(version):  # its digest and its weights may be of two files
            raise BadCheckpointError(f"{version.file_name} changed while it was read.", "It is read again.")
        speed, cost = _warm_up(synthesizer)
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
            instance_edges=synthesizer.looks_at_instances,
            terms=synthesizer.terms[:_MOST_TERMS],
            one_style=synthesizer.one_style,
        )
        return LoadedModel(version, synthesizer, info, speed, cost, Batches(synthesizer))

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
        set_aside: Sequence[CheckpointVersion] = (),
    ):
        """upscalers: files by name. set_aside: as of ModelLoader."""
        self._loaders = [ModelLoader(source, synthesizer, device, set_aside) for source in models]
        self._device, self._upscaler_files = device, upscalers or {}
        self._upscalers: dict[str, Upscaler] = {}
        self._upscaler_problems: list[Problem] = []

    def load(self, say: Say) -> LoadedModels:
        """Everything there is now. say: as of ModelLoader.look."""
        for loader in self._loaders:
            loader.look(say)
        for name, path in self._upscaler_files.items():
            try:
                self._upscalers[name] = _upscaler(path, self._device)
            except Exception as problem:
                error = as_spade_error(problem, f"The upscaler '{path}' cannot be loaded")
                self._upscaler_problems.append(Problem(name, error.message, error.fix))
        return self._loaded()

    def follow(self, hand_over: Callable[[LoadedModels], None], say: Say) -> None:
        """Look for newer checkpoints, and for files that were mended, until none can come."""
        while followed := [loader for loader in self._loaders if loader.may_change]:
            time.sleep(LOOK_S)
            for loader in followed:
                if loader.look(say):
                    hand_over(self._loaded())

    def _loaded(self) -> LoadedModels:
        by_name = {each.source.name: each.loaded for each in self._loaders if each.loaded is not None}
        problems = tuple(each.problem for each in self._loaders if each.problem is not None)
        devices = {str(each.synthesizer.device) for each in by_name.values()}
        return LoadedModels(
            by_name,
            (*problems, *self._upscaler_problems),
            self._upscalers,
            min(map(room, devices), default=0),
        )


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


def _warm_up(synthesizer: Synthesizer) -> tuple[float, PaintingCost]:
    """Milliseconds for a megapixel, and memory for a picture. The first picture of a size also fills caches."""
    side, device = synthesizer.native_size, str(synthesizer.device)
    parted = synthesizer.parted
    if parted is not None and (all_of_it := room(device)):
        parted.fit(all_of_it)
    small = max(MIN_SIDE, side // 2)
    few, many = (_noise(synthesizer, each) for each in (small, side))  # no map takes more memory
    synthesizer.render(few, None, 0)
    low = peak_of(lambda: synthesizer.render(few, None, 0), device)
    high = peak_of(lambda: synthesizer.render(many, None, 0), device)
    usual = _stripes(synthesizer, side)
    began = time.perf_counter()
    synthesizer.render(usual, None, 1)
    speed = (time.perf_counter() - began) * 1e3 / (side * side / 1e6)
    a_pixel = max(0, high - low) / max(1, many.size - few.size)
    cost = PaintingCost(max(0.0, high - a_pixel * many.size), a_pixel)
    if parted is not None:
        cost = replace(cost, whole_pixels=parted.whole_pixels, parted_bytes=parted.parted_bytes)
    return speed, cost


def _noise(synthesizer: Synthesizer, side: int) -> np.ndarray:
    """A square label map with any class in each pixel."""
    ids = np.array([entry.id for entry in synthesizer.label_set.classes], synthesizer.label_set.dtype)
    return ids[np.random.default_rng(0).integers(0, len(ids), (side, side))]


def _stripes(synthesizer: Synthesizer, side: int) -> np.ndarray:
    """A square label map with every class."""
    rows = np.arange(side) * len(synthesizer.label_set.classes) // side
    ids = np.array([entry.id for entry in synthesizer.label_set.classes], synthesizer.label_set.dtype)
    return np.ascontiguousarray(np.broadcast_to(ids[rows][:, None], (side, side)))
