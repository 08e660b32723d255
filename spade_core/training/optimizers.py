# SPDX-License-Identifier: Apache-2.0
"""What the optimizers are given: weights, and those that learn at another rate than the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from ..model.clade import CladeNorm

Group = dict[str, Any]


def generator_groups(networks: Sequence[nn.Module], table_rate: float) -> list[Group]:
    """All weights, in the networks' order; where some are looked up by class, those in a second group.

    A step of Adam moves every weight by the same length. SPADE's scale of a pixel is a sum over hundreds of weights,
    all of which move; a scale that is looked up is one weight. At one rate for both such a network learns as fast as
    one that looks up the same for every class.

    `rate`: how many times the optimizer's rate a group has.
    """
    weights = [weight for network in networks for weight in network.parameters()]
    tables = {
        id(module.gamma_beta)
        for network in networks
        for module in network.modules()
        if isinstance(module, CladeNorm)
    }
    if not tables:
        return [{"params": weights}]
    return [
        {"params": [weight for weight in weights if id(weight) not in tables]},
        {"params": [weight for weight in weights if id(weight) in tables], "rate": table_rate},
    ]


def load_optimizer(optimizer: torch.optim.Optimizer, saved: Group, networks: Sequence[nn.Module]) -> None:
    """Go on with a saved optimizer, also with one of an earlier version, whose weights were all in one group.

    Raises ValueError where it is of other networks.
    """
    rates = [group.get("rate", 1.0) for group in optimizer.param_groups]
    if len(saved["param_groups"]) == 1 < len(rates):
        saved = _in_groups(optimizer, saved, networks)
    optimizer.load_state_dict(saved)
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["rate"] = rate  # not the saved one: a run may be continued with another


def _in_groups(optimizer: torch.optim.Optimizer, saved: Group, networks: Sequence[nn.Module]) -> Group:
    before = [id(weight) for network in networks for weight in network.parameters()]
    if len(before) != len(saved["param_groups"][0]["params"]):
        return saved
    groups: list[Group] = []
    state: dict[int, Any] = {}
    for group in optimizer.param_groups:
        numbers = [before.index(id(weight)) for weight in group["params"]]
        groups.append(saved["param_groups"][0] | {"params": numbers})
        state |= {number: saved["state"][number] for number in numbers if number in saved["state"]}
    return {"state": state, "param_groups": groups}
