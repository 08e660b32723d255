# SPDX-License-Identifier: Apache-2.0
"""The models of a worker, loaded and kept up to date while it paints.

A run folder is looked at once a second. A newer checkpoint is loaded and tried beside the one that paints, and
handed over when it works; one that does not is reported and the older stays. `Stock` is what is handed over, whole
and unchangeable, so a picture is always of one checkpoint.
"""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spade_core.contract.errors import BadCheckpoint, Internal, OutOfMemory, SpadeError
from spade_core.contract.messages import ModelInfo

from .backends.messages import LoadProblem, Ready
from .run_folder import Place, Version, is_unchanged, versions

LOOK_S = 1.0


@dataclass(frozen=True, eq=False)
class Loaded:
    """A model that has painted a picture already."""

    version: Version
    model: Any
    info: ModelInfo
    ms_per_megapixel: float


@dataclass(frozen=True, eq=False)
class Stock:
    """All that can be painted with, by the names clients use, and what could not be loaded."""

    loaded: dict[str, Loaded]
    problems: tuple[LoadProblem, ...] = ()

    @property
    def ready(self) -> Ready:
        """What to tell the broker."""
        speed = max((each.ms_per_megapixel for each in self.loaded.values()), default=0.0)
        return Ready(tuple(each.info for each in self.loaded.values()), self.problems, speed)

    @property
    def label_sets(self) -> list[bytes]:
        """Each model's label set, as TOML, in the order of `ready`."""
        return [each.model.label_set.to_toml().encode() for each in self.loaded.values()]


class Source:
    """Where the model of one name comes from, and which version of it is loaded."""

    def __init__(self, place: Place, synthesizer: Callable[[], Any], device: str):
        self.place = place
        self.loaded: Loaded | None = None
        self.problem: LoadProblem | None = None
        self._synthesizer, self._device = synthesizer, device
        self._refused: dict[Version, SpadeError] = {}

    def look(self) -> bool:
        """Load the newest version that can be loaded, unless it is. Returns whether anything changed."""
        before = self.loaded, self.problem
        try:
            found = self._load_newest()
            self.problem = self._problem_with(found)
        except OSError as trouble:
            self.problem = LoadProblem(
                self.place.name,
                f"The run folder '{self.place.path}' cannot be read: {trouble.strerror}.",
                "Check that it is a folder and that this user may read it.",
            )
        return (self.loaded, self.problem) != before

    def _versions(self) -> Iterator[Version]:
        path = self.place.path
        return versions(Path(path)) if self.place.is_run else iter([Version(path)])

    def _load_newest(self) -> Version | None:
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
                self._refused[version] = _why_not(version, problem)
        return newest

    def _load(self, version: Version) -> Loaded:
        model = self._synthesizer().load(version.path, self._device)
        if not is_unchanged(version):  # its digest and its weights may be of two files
            raise BadCheckpoint(f"{version.file_name} changed while it was read.", "It is read again.")
        speed = _warm_up(model)
        labels = model.label_set
        info = ModelInfo(
            self.place.name,
            model.digest,
            labels.name,
            labels.digest,
            model.native_size,
            model.style_size,
            file=version.file_name if self.place.is_run else "",
        )
        return Loaded(version, model, info, speed)

    def _problem_with(self, newest: Version | None) -> LoadProblem | None:
        if newest is None:
            return None if self.loaded is not None else _nothing_yet(self.place)
        error = self._refused.get(newest)
        if error is None:
            return None
        meanwhile = (
            f"Until then '{self.place.name}' is {self.loaded.version.file_name}." if self.loaded else ""
        )
        return LoadProblem(self.place.name, error.message, f"{error.fix} {meanwhile}".strip())


class Shelf:
    """All sources of a worker; belongs to one thread at a time."""

    def __init__(self, models: Sequence[Place], synthesizer: Callable[[], Any], device: str):
        self._sources = [Source(place, synthesizer, device) for place in models]

    def load(self) -> Stock:
        """Everything there is now."""
        for source in self._sources:
            source.look()
        return self._stock()

    def follow(self, hand_over: Callable[[Stock], None]) -> None:
        """Look for newer checkpoints for ever; returns at once where none can come."""
        followed = [source for source in self._sources if source.place.is_run]
        while followed:
            time.sleep(LOOK_S)
            for source in followed:
                if source.look():
                    hand_over(self._stock())

    def _stock(self) -> Stock:
        loaded = {source.place.name: source.loaded for source in self._sources if source.loaded is not None}
        return Stock(loaded, tuple(source.problem for source in self._sources if source.problem is not None))


def told(problem: Exception, what: str) -> SpadeError:
    """Any exception as an error for people; what was not foreseen is printed on the server's console."""
    if isinstance(problem, SpadeError):
        return problem
    text = str(problem).lower()
    if isinstance(problem, MemoryError) or "out of memory" in text or "can't allocate memory" in text:
        return OutOfMemory("The device has too little memory for this picture.", "Choose a smaller size.")
    traceback.print_exception(problem)
    first_line = (str(problem).splitlines() or [""])[0][:200]
    return Internal(f"{what}: {type(problem).__name__}: {first_line}", "See the server's console.")


def _why_not(version: Version, problem: Exception) -> SpadeError:
    error = told(problem, f"The model '{version.path}' cannot be loaded")
    if not isinstance(error, OutOfMemory):
        return error
    return OutOfMemory(
        f"The device has too little memory to load '{version.file_name}' beside what it holds already.",
        "Start the server again, or serve fewer models.",
    )


def _nothing_yet(run: Place) -> LoadProblem:
    return LoadProblem(
        run.name,
        f"The run '{run.name}' has no model yet: there is no '{os.path.join(run.path, 'model_*.safetensors')}'.",
        "It is served as soon as its training writes the first one; check the path if none is under way.",
    )


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
