# SPDX-License-Identifier: Apache-2.0
"""The weights of one network in what people save: under 'state_dict', beside an epoch, in a DataParallel wrapper."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from ...contract.errors import BadCheckpointError

WRAPPER = "module."
"""What DataParallel puts before the name of each weight."""
OWN_STATE = {"generator", "discriminator", "generator_optimizer", "images_seen"}
"""Keys of a training's state of this program; older ones name their optimizers otherwise."""


class Unwrapped(NamedTuple):
    """The state dict, and what was done to come by it, for people: empty where it lay there as it is."""

    state: dict[str, Tensor]
    taken: str = ""


def unwrapped(path: Path, loaded: object) -> Unwrapped:
    """The one state dict in what a file holds. Raises BadCheckpointError where there is none, or more than one.

    All else in it is left: numbers and texts decide nothing. path: for people.
    """
    if not isinstance(loaded, Mapping):
        raise _no_state_dict(
            path, "one tensor" if isinstance(loaded, Tensor) else f"a {type(loaded).__name__}"
        )
    taken = []
    if not is_state_dict(loaded):
        loaded, how = _within(path, loaded)
        taken.append(how)
    if all(str(key).startswith(WRAPPER) for key in loaded):
        loaded = {str(key).removeprefix(WRAPPER): value for key, value in loaded.items()}
        taken.append(f"without '{WRAPPER}' before the names")
    return Unwrapped(_plain(path, loaded), ", ".join(taken))


def is_state_dict(loaded: object) -> bool:
    """Whether it is names with a tensor each, and at least one."""
    return (
        isinstance(loaded, Mapping)
        and bool(loaded)
        and all(isinstance(each, Tensor) for each in loaded.values())
    )


def _within(path: Path, loaded: Mapping) -> tuple[Mapping, str]:
    """The weights among other things, and how they were found."""
    if "param_groups" in loaded:
        raise _no_state_dict(path, "the state of an optimizer")
    if len(OWN_STATE & loaded.keys()) >= 2 and "generator" in loaded:
        raise BadCheckpointError(
            f"{path.name} is the state of a training of this program.",
            "Use the model_*.safetensors beside it as it is; `spade checkpoint export` takes the state itself.",
        )
    dicts = {str(key): value for key, value in loaded.items() if is_state_dict(value)}
    tensors = {key: value for key, value in loaded.items() if isinstance(value, Tensor)}
    weights = {key: value for key, value in tensors.items() if value.dim()}
    if len(dicts) == 1 and not weights:
        [(key, state)] = dicts.items()
        return state, f"what lies under '{key}'"
    if not dicts and weights:
        return tensors, f"without {_listed([key for key in loaded if key not in tensors])}"
    if len(dicts) > 1:
        raise BadCheckpointError(
            f"{path.name} holds several networks: {_listed(list(dicts))}.",
            "Save the generator's state dict alone with torch.save, and import that.",
        )
    raise _no_state_dict(path, f"a dictionary of {_listed(list(loaded))}" if loaded else "nothing")


def _plain(path: Path, state: Mapping) -> dict[str, Tensor]:
    """Raises BadCheckpointError for sparse and quantised tensors."""
    plain = {str(key): value.detach() for key, value in state.items()}
    strange = [key for key, value in plain.items() if value.layout != torch.strided or value.is_quantized]
    if strange:
        raise BadCheckpointError(
            f"'{strange[0]}' in {path.name} is not a plain tensor.", "Save dense weights."
        )
    return plain


def _no_state_dict(path: Path, kind: str) -> BadCheckpointError:
    return BadCheckpointError(
        f"{path.name} holds {kind}, not the state dict of one network.",
        "Name {latest or epoch}_net_G.pth, as the published code saves it, or its folder.",
    )


def _listed(keys: list) -> str:
    return ", ".join(f"'{key}'" for key in keys[:5]) + (f" and {len(keys) - 5} more" if len(keys) > 5 else "")
