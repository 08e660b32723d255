# SPDX-License-Identifier: Apache-2.0
"""Where a model comes from, by the word for it: an embedded model, a checkpoint file, or a training run's folder.

A run writes model_00002000.safetensors, model_00004000.safetensors, ... into its folder, each in one piece; the
number, of photos seen, says which is the newest. Only names and file times are looked at here, no weights.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from ..contract.errors import BadOptionError, UnknownModelError
from .hub import cached_model, hub_name, is_hub_name
from .names import MODELS, photos_seen

EMBEDDED = Path(__file__).parents[1] / "weights"
"""Where the models that come along are."""


@dataclass(frozen=True)
class CheckpointVersion:
    """A file at one moment: a file that was written again under its name is another version.

    path: where a synthesizer loads it from. times_and_size: empty for what is not followed.
    """

    path: str
    times_and_size: tuple[int, ...] = ()

    @property
    def file_name(self) -> str:
        return os.path.basename(self.path)


@dataclass(frozen=True)
class ModelSource:
    """Where a model is: `path` for a synthesizer, or, `is_run`, a folder to follow. `name` is for clients."""

    name: str
    path: str
    is_run: bool = False


def model_source(model: str) -> ModelSource:
    """What the word on the command line means; asked once, for a folder may go while it is served.

    A run is called by its folder ("runs/my" is "my"), a file by its name without suffix, a model of the Hugging Face
    cache by its own name. A bare name means an embedded model before it means a folder; a path that is not there means
    what the cache has under it, and else a folder that will be, if it has no suffix.
    """
    path, is_bare = Path(model), Path(model).name == model
    if is_hub_name(model) and (cached := cached_model(model)) is not None:
        return ModelSource(path.name, str(cached))
    if is_bare and (EMBEDDED / f"{model}.safetensors").exists():
        return ModelSource(model, model)
    if path.is_dir() or not (is_bare or path.suffix or path.exists()):
        return ModelSource(os.path.basename(os.path.abspath(model)), model, is_run=True)
    return ModelSource(path.stem, model)


def checkpoint_versions(folder: Path) -> Iterator[CheckpointVersion]:
    """The checkpoints of a run, the newest first; none before its folder is made, and after it has gone.

    Raises OSError where the folder cannot be read.
    """
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return
    paths = [folder / name for name in names if fnmatchcase(name, MODELS) and photos_seen(Path(name)) >= 0]
    for path in map(str, sorted(paths, key=photos_seen, reverse=True)):
        try:
            yield CheckpointVersion(path, _times_and_size(path))
        except OSError:
            continue  # deleted since the folder was read


def file_version(path: str) -> CheckpointVersion:
    """A file as it is now; without times where there is none, and where a bare word names an embedded model."""
    is_word = Path(path).name == path and not Path(path).suffix
    try:
        return CheckpointVersion(path, () if is_word else _times_and_size(path))
    except OSError:
        return CheckpointVersion(path)


def is_unchanged(version: CheckpointVersion) -> bool:
    """Whether the file is still the one it was; what is not followed always is."""
    try:
        return not version.times_and_size or _times_and_size(version.path) == version.times_and_size
    except OSError:
        return False


def model_sources(models: Sequence[str]) -> tuple[ModelSource, ...]:
    """Raises BadOptionError where two models would be called the same, and one could never be asked for."""
    sources: dict[str, ModelSource] = {}
    for source in map(model_source, models):
        other = sources.setdefault(source.name, source)
        if other != source:
            raise BadOptionError(
                f"'{other.path}' and '{source.path}' would both be served as '{source.name}'.",
                "Rename one of them, or serve them by two servers.",
            )
    return tuple(sources.values())


def _times_and_size(path: str) -> tuple[int, ...]:
    # The change time too: a file that was renamed into place keeps the time at which it was written.
    facts = os.stat(path)
    return facts.st_mtime_ns, facts.st_ctime_ns, facts.st_size


def model_file(model: str | Path) -> Path:
    """The file of a model: a path as it is, a training's newest model by its folder, org/name in the Hugging Face
    cache, a bare name among the embedded ones. Raises UnknownModelError."""
    path = Path(model)
    if is_hub_name(str(model)):
        return _cached_file(str(model))
    embedded = EMBEDDED / f"{model}.safetensors"
    is_bare = not path.suffix and len(path.parts) == 1
    if is_bare and embedded.exists():
        return embedded
    if path.is_dir():
        newest = next(checkpoint_versions(path), None)
        if newest is None:
            raise UnknownModelError(
                f"The folder '{model}' holds no model.", "Name a training's folder, or a .safetensors file."
            )
        return Path(newest.path)
    if not is_bare:
        return path
    if not embedded.exists():
        known = ", ".join(sorted(file.stem for file in EMBEDDED.glob("*.safetensors"))) or "none"
        raise UnknownModelError(
            f"There is no embedded model '{model}'.", f"Use one of: {known}; or name a .safetensors file."
        )
    return embedded


def model_name(path: Path) -> str:
    """What a model's file is called for people: org/name from the Hugging Face cache, or its name without suffix."""
    return hub_name(path) or path.stem


def _cached_file(name: str) -> Path:
    cached = cached_model(name)
    if cached is None:
        raise UnknownModelError(
            f"There is no file or folder '{name}', and no model of that name in the Hugging Face cache.",
            f"Check the path; `spade checkpoint download {name}` fetches one from the hub.",
        )
    return cached
