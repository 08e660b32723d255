# SPDX-License-Identifier: Apache-2.0
"""Spectral norms and the weights they divide: folded together in what is served, apart in what is trained."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

ORIGINAL = ".parametrizations.weight.original"
POWER_ITERATIONS = 30
"""Enough for the two vectors of a spectral norm to settle."""


def plain_state(network: nn.Module) -> dict[str, Tensor]:
    """The state dict with every spectral norm folded into its weight."""
    folded = {f"{name}.weight": effective_weight(module).detach() for name, module in _normed(network)}
    rest = {key: value for key, value in network.state_dict().items() if ".parametrizations." not in key}
    return {**rest, **folded}


def effective_weight(module: nn.Module) -> Tensor:
    """The weight divided by its norm, by the vectors as they are."""
    # In training mode reading .weight would run one more power iteration.
    was_training = module.training
    module.eval()
    weight = module.weight
    module.train(was_training)
    return weight  # type: ignore[return-value]


def fold_spectral_norms(network: nn.Module) -> None:
    """For good: what stays are weights divided by their norms."""
    for _, module in list(_normed(network)):
        parametrize.remove_parametrizations(module, "weight")


def unfolded(weights: dict[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """Folded weights as a state dict of a network whose spectral norms are apart: they become the ones to be
    normalised, of norm one already. The vectors stay the network's: settle_spectral_norms makes them fit."""
    state = network.state_dict()
    vectors = {key: state[key] for key in state if key.endswith((".weight.0._u", ".weight.0._v"))}
    originals = {key.replace(ORIGINAL, ".weight"): key for key in state}
    return {originals.get(key, key): value for key, value in weights.items()} | vectors


@torch.no_grad()
def settle_spectral_norms(network: nn.Module) -> None:
    """Iterate every spectral norm's two vectors until they are those of its weight."""
    for _, module in _normed(network):
        norm: Any = module.parametrizations.weight[0]  # type: ignore[union-attr, index]
        matrix = norm._reshape_weight_to_matrix(module.parametrizations.weight.original)  # type: ignore[union-attr]
        norm._power_method(matrix, POWER_ITERATIONS)


def _normed(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    for name, module in network.named_modules():
        if parametrize.is_parametrized(module, "weight"):
            yield name, module
