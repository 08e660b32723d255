# SPDX-License-Identifier: Apache-2.0
"""What a run keeps so that it goes on as if it had never stopped: tensors and plain values only, no pickled objects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..checkpoint.names import photos_seen, states_of
from ..contract.errors import BadCheckpointError, LabelSetMismatchError
from ..contract.labels import LabelSet, parse_label_set
from ..files import write_torch
from .optimizers import load_optimizer
from .trainer import Trainer

TrainingState = dict[str, Any]
RENAMED = {"generator_steps": "generator_optimizer", "discriminator_steps": "discriminator_optimizer"}
"""Keys of states that older versions wrote, and what they are called now."""


def state_of(trainer: Trainer) -> TrainingState:
    """Everything that the next step depends on, but the squares: those follow from images_seen.

    All random numbers are drawn on the CPU, and alike by every process.
    """
    state = {
        "step": trainer.step,
        "images_seen": trainer.images_seen,
        "started_from": trainer.started_from,
        "running": dict(trainer.objective.running),
        "generator_optimizer": trainer.generator_optimizer.state_dict(),
        "discriminator_optimizer": trainer.discriminator_optimizer.state_dict(),
        "style_bank": trainer.styles.bank,
        "random": torch.get_rng_state(),
        "channels": trainer.recipe.channels,
        "label_set": "" if trainer.label_set is None else trainer.label_set.to_toml(),
    }
    return state | {name: network.state_dict() for name, network in parts(trainer).items()}


def parts(trainer: Trainer) -> dict[str, nn.Module]:
    """The networks whose weights a state holds, by name."""
    networks = trainer.networks
    found: dict[str, nn.Module | None] = {
        "generator": networks.generator,
        "encoder": networks.encoder,
        "discriminator": networks.discriminator,
        "averaged": networks.ema.generator,
        "averaged_encoder": networks.ema.encoder,
        "tap_norms": networks.features.norms if networks.features is not None else None,
    }
    return {name: network for name, network in found.items() if network is not None}


def restore(trainer: Trainer, state: TrainingState) -> None:
    """The inverse of state_of. Raises BadCheckpointError where the state is of other networks."""
    if state.get("label_set") and trainer.label_set is not None:  # older states hold none
        refuse_other_labels(parse_label_set(state["label_set"]), trainer.label_set)
    trainer.step, trainer.images_seen = state["step"], state["images_seen"]
    trainer.started_from = state["started_from"]
    trainer.objective.running = dict(state["running"])
    for name, network in parts(trainer).items():
        # A projected discriminator holds them too: older states have them there alone.
        if name != "tap_norms" or name in state:
            fill(network, state.get(name, {}), name)
    try:
        load_optimizer(trainer.generator_optimizer, state["generator_optimizer"], trainer.networks.generating)
        trainer.discriminator_optimizer.load_state_dict(state["discriminator_optimizer"])
    except ValueError as error:
        raise other_networks("optimizer", str(error)) from None
    if "style_bank" in state:  # not in older states, which drew styles from the standard normal
        trainer.styles.bank = state["style_bank"].to(trainer.device)
    torch.set_rng_state(state["random"])


def refuse_other_labels(old: LabelSet, new: LabelSet) -> None:
    """Raises LabelSetMismatchError where a run would go on with a label set that is not its own any more."""
    if old.digest == new.digest:
        return
    now = {entry.id: entry.name for entry in new.classes}
    other = [entry for entry in old.classes if now.get(entry.id) != entry.name]
    said = (
        f"class {other[0].id} was '{other[0].name}' and is '{now.get(other[0].id, 'gone')}'"
        if other
        else f"it had {len(old.classes)} classes and has {len(new.classes)}"
    )
    raise LabelSetMismatchError(
        f"The label set has changed since this run was begun: {said}.",
        "Put it back; or choose another --output and begin with --from and this run's folder: classes then keep what "
        "was learned of them by their names.",
    )


def fill(network: nn.Module, weights: dict[str, torch.Tensor], name: str) -> None:
    """Raises BadCheckpointError, naming the network, where the weights are another's."""
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise other_networks(name, "".join(str(error).splitlines()[1:2]).strip()) from None


def other_networks(name: str, why: str) -> BadCheckpointError:
    return BadCheckpointError(
        f"The weights to go on from are of another {name} ({why[:200]}).",
        fix="Continue with the recipe and the options that they were trained with. A run's model (.safetensors, or its "
        "folder) gives its own networks to a new run: choose another --output and name it with --from.",
    )


def save_state(trainer: Trainer, path: Path) -> None:
    """In one piece: a run killed while it writes leaves the older file. Raises CannotWriteError."""
    write_torch(path, state_of(trainer))


def begun_with_own_channels(run: Path) -> bool:
    """Whether a folder's newest state is of a version that knew none of the published networks' label channels."""
    states = states_of(run)
    if not states:
        return False
    try:
        return "channels" not in torch.load(states[-1], map_location="meta", weights_only=True, mmap=True)
    except Exception:  # load_state says what is wrong with it
        return False


def load_state(path: Path) -> TrainingState:
    """A state saved by save_state. Raises BadCheckpointError."""
    try:
        # In older states the name alone says how many photos were seen, and nothing where they began.
        older: TrainingState = {"images_seen": photos_seen(path), "started_from": None}
        found: TrainingState = torch.load(path, map_location="cpu", weights_only=True)
        return older | {RENAMED.get(name, name): value for name, value in found.items()}
    except Exception as error:  # torch.load raises a different type for each way a file can be broken
        raise BadCheckpointError(
            f"{path.name} cannot be read: {type(error).__name__}.",
            fix="Delete it: the one before it is used.",
        ) from None
