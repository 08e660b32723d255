# SPDX-License-Identifier: Apache-2.0
"""Spectral norms folded into the weights they divide: what is served and exported."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.utils import parametrize


def plain_state(network: nn.Module) -> dict[str, Tensor]:
    """The state dict with every spectral norm folded into its weight."""
    folded = {
        f"{name}.weight": effective_weight(module).detach()
        for name, module in network.named_modules()
        if parametrize.is_parametrized(module, "weight")
    }
    rest = {key: value for key, value in network.state_dict().items() if ".parametrizations." not in key}
    return {**rest, **folded}


def effective_weight(module: nn.Module) -> Tensor:
    # In training mode reading .weight would run one more power iteration.
    was_training = module.training
    module.eval()
    weight = module.weight
    module.train(was_training)
    return weight  # type: ignore[return-value]
