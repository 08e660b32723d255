# SPDX-License-Identifier: Apache-2.0
"""A new run that begins with the weights of an older one: what it takes, and the record of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ..checkpoint.file import file_digest, load_checkpoint
from ..contract.errors import BadCheckpoint
from ..contract.labels import LabelSet
from .relabel import by_class_names
from .state import fill, load_state, parts
from .trainer import Trainer

ORIGINAL = ".parametrizations.weight.original"
POWER_ITERATIONS = 30
"""Enough for the two vectors of a spectral norm to settle."""


def start_from(trainer: Trainer, path: Path, label_set: LabelSet) -> None:
    """Take the weights of a model (.safetensors) or of a run's state (.pt). Counters, optimizers and random numbers
    begin anew.

    A model gives generator and style encoder, its classes to those of the same name where its label set is another; a
    state also the discriminator where it is of the same kind.
    Raises BadCheckpoint where generator or encoder do not fit.
    """
    take = _from_state if path.suffix == ".pt" else _from_model
    if not path.is_file():
        raise BadCheckpoint(f"There is no file {path} to start from.", fix="Check the path.")
    origin = take(trainer, path, label_set)
    trainer.started_from = {"file": path.name, "sha256": file_digest(path), **origin}


def _from_model(trainer: Trainer, path: Path, label_set: LabelSet) -> dict[str, Any]:
    held = load_checkpoint(path)
    networks, kept = trainer.networks, ["generator"]
    weights, matched = by_class_names(held, label_set)
    fill_unfolded(networks.generator, weights, "generator")
    if networks.encoder is not None and held.style_encoder is not None:
        fill_unfolded(networks.encoder, held.encoder_weights, "style encoder")
        kept.append("encoder")
    networks.ema.update(networks.generator, networks.encoder, 0.0)
    return _origin(kept, held.provenance) | matched


def _from_state(trainer: Trainer, path: Path, label_set: LabelSet) -> dict[str, Any]:
    state, kept = load_state(path), []
    for name, network in parts(trainer).items():
        if name in state:
            try:
                fill(network, state[name], name)
            except BadCheckpoint:
                if name not in ("discriminator", "tap_norms"):
                    raise
                continue
            kept.append(name)
    return _origin(kept, {**state, "steps": state["step"]})


def _origin(kept: list[str], past: dict[str, Any]) -> dict[str, Any]:
    """What was taken, how much it had been trained, and where that in turn had begun."""
    return {"kept": kept, **{name: past.get(name) for name in ("images_seen", "steps", "started_from")}}


@torch.no_grad()
def fill_unfolded(network: nn.Module, weights: dict[str, Tensor], name: str) -> None:
    """Load weights whose spectral norms are folded in: they become the ones to be normalised, of norm one already."""
    state = network.state_dict()
    vectors = {key: state[key] for key in state if key.endswith((".weight.0._u", ".weight.0._v"))}
    unfolded = {key.replace(ORIGINAL, ".weight"): key for key in state}
    fill(network, {unfolded.get(key, key): value for key, value in weights.items()} | vectors, name)
    for module in network.modules():
        if parametrize.is_parametrized(module, "weight"):
            norm: Any = module.parametrizations.weight[0]  # type: ignore[union-attr, index]
            matrix = norm._reshape_weight_to_matrix(module.parametrizations.weight.original)  # type: ignore[union-attr]
            norm._power_method(matrix, POWER_ITERATIONS)
