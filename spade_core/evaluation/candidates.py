# SPDX-License-Identifier: Apache-2.0
"""The models that are measured or compared, by the names that people give them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..checkpoint.file import file_digest, load_checkpoint
from ..checkpoint.names import photos_seen
from ..checkpoint.sources import model_file, model_name
from ..contract.errors import LabelSetMismatchError
from ..runtime import chosen_device
from ..synthesis.synthesizer import Synthesizer
from .scenes import Scenes


@dataclass(frozen=True)
class Candidate:
    """A model to be measured."""

    name: str
    """What tells it from the others."""
    model: Synthesizer
    file: str
    images_seen: int | None
    """In its training, where its file says so."""
    training: str | None = None
    """The folder of its training, where it is the model of a run."""


def load_candidates(names_or_files: Sequence[str], device: str) -> list[Candidate]:
    """Raises UnknownModelError, BadCheckpointError, UnavailableError."""
    paths = [model_file(each) for each in names_or_files]
    candidates = []
    for path, given in zip(paths, names_or_files, strict=True):
        checkpoint = load_checkpoint(path)
        seen = checkpoint.provenance.get("images_seen")
        model = Synthesizer(checkpoint, model_name(path), file_digest(path), chosen_device(device))
        # Runs name their models alike: runs/first/model_00002000, runs/second/model_00002000.
        alone = [model_name(other) for other in paths].count(model_name(path)) == 1
        name = model_name(path) if alone else f"{path.resolve().parent.name}/{path.stem}"
        training = str(path.resolve().parent) if photos_seen(path) >= 0 else None
        candidates.append(Candidate(name, model, given, seen if isinstance(seen, int) else None, training))
    return candidates


def refuse_other_label_sets(models: Iterable[Synthesizer], scenes: Scenes) -> None:
    """Raises LabelSetMismatchError for a model that does not paint these label maps."""
    for model in models:
        if model.label_set.digest != scenes.label_set.digest:
            raise LabelSetMismatchError(
                f"The model '{model.name}' paints '{model.label_set.name}', the label maps are of "
                f"'{scenes.label_set.name}'.",
                "Compare models of one label set, on data of that set.",
            )
