# SPDX-License-Identifier: Apache-2.0
"""Where our own generator starts from."""

from __future__ import annotations

import torch
from torch import nn

from ..model.generator import Generator
from ..model.residual import SpadeResBlock

STYLE_SPREAD = 0.02


@torch.no_grad()
def start_from_labels(generator: Generator) -> None:
    """Make the label map, not the style code, decide what is painted first.

    A one-hot pixel excites one input in eighteen, so torch's default makes the first label features ten times weaker
    than what a style code adds to them: such a network paints by style and position for thousands of images before it
    looks at its labels. Here label features start with unit variance, and styles with a sixth of it.
    """
    for module in generator.modules():
        if isinstance(module, SpadeResBlock):
            if module.mlp_shared is not None:
                _unit_variance(module.mlp_shared[0])  # type: ignore[arg-type]
            if module.style is not None:
                nn.init.normal_(module.style.weight, std=STYLE_SPREAD)
    if isinstance(generator.fc, nn.Conv2d):
        _unit_variance(generator.fc)
    if generator.style_start is not None:
        nn.init.normal_(generator.style_start.weight, std=STYLE_SPREAD)


def _unit_variance(conv: nn.Conv2d) -> None:
    """Inside a region every tap of the kernel sees the same single one: k*k weights add up."""
    nn.init.normal_(conv.weight, std=1 / conv.kernel_size[0])
