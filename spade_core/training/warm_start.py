# SPDX-License-Identifier: Apache-2.0
"""A new run that begins with the weights of an older one: what it takes, and the record of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..checkpoint.file import file_digest, load_checkpoint
from ..checkpoint.folding import settle_spectral_norms, unfolded
from ..checkpoint.names import model_path, photos_seen
from ..contract.errors import BadCheckpointError
from ..contract.labels import LabelSet
from .networks import label_channels
from .relabel import by_class_names
from .state import fill, load_state, parts
from .trainer import Trainer


def start_from(trainer: Trainer, path: Path, label_set: LabelSet) -> None:
    """Take the weights of a model (.safetensors) or of a run's state (.pt). Counters, optimizers and random numbers
    begin anew.

    A model gives generator and style encoder, its classes to those of the same name where its label set is another; a
    state also the discriminator where it is of the same kind; for another label set the model beside it is taken.
    Raises BadCheckpointError where generator or encoder do not fit.
    """
    if not path.is_file():
        raise BadCheckpointError(f"There is no file {path} to start from.", fix="Check the path.")
    take = _from_model
    if path.suffix == ".pt":
        model = model_path(path.parent, photos_seen(path))
        if model.exists() and load_checkpoint(model).label_set.digest != label_set.digest:
            path = model  # its classes are matched by name; a state's networks fit its own label set alone
        else:
            take = _from_state
    origin = take(trainer, path, label_set)
    trainer.started_from = {"file": path.name, "sha256": file_digest(path), **origin}


def _from_model(trainer: Trainer, path: Path, label_set: LabelSet) -> dict[str, Any]:
    held = load_checkpoint(path)
    networks, kept = trainer.networks, ["generator"]
    channels = label_channels(trainer.config.recipe, label_set)
    weights, matched = by_class_names(held, label_set, channels)
    fill(networks.generator, unfolded(weights, networks.generator), "generator")
    settle_spectral_norms(networks.generator)
    if networks.encoder is not None and held.style_encoder is not None:
        fill(networks.encoder, unfolded(held.encoder_weights, networks.encoder), "style encoder")
        settle_spectral_norms(networks.encoder)
        kept.append("encoder")
    networks.ema.update(networks.generator, networks.encoder, 0.0)
    return _origin(kept, held.provenance) | matched


def _from_state(trainer: Trainer, path: Path, label_set: LabelSet) -> dict[str, Any]:
    state, kept = load_state(path), []
    for name, network in parts(trainer).items():
        if name in state:
            try:
                fill(network, state[name], name)
            except BadCheckpointError:
                if name not in ("discriminator", "tap_norms"):
                    raise
                continue
            kept.append(name)
    return _origin(kept, {**state, "steps": state["step"]})


def _origin(kept: list[str], past: dict[str, Any]) -> dict[str, Any]:
    """What was taken, how much it had been trained, and where that in turn had begun."""
    return {"kept": kept, **{name: past.get(name) for name in ("images_seen", "steps", "started_from")}}
