# SPDX-License-Identifier: Apache-2.0
"""Weights for Inception that any implementation of it can be given: each tensor is drawn from its own name."""

from __future__ import annotations

import zlib

import torch
from torch import Tensor


def named_weights(shapes: dict[str, torch.Size]) -> dict[str, Tensor]:
    return {
        name: _drawn(name, shape)
        for name, shape in shapes.items()
        if not name.endswith("num_batches_tracked")
    }


def named_pictures() -> Tensor:
    """(2, 96, 128, 3) uint8."""
    planes = torch.randint(0, 256, (2, 3, 96, 128), generator=_generator("pictures"))
    return planes.permute(0, 2, 3, 1).to(torch.uint8)


def _drawn(name: str, shape: torch.Size) -> Tensor:
    random = _generator(name)
    if len(shape) == 4:
        return torch.randn(shape, generator=random) * (2 / shape[1:].numel()) ** 0.5
    if name.endswith(("running_var", "bn.weight")):
        return torch.rand(shape, generator=random) + 0.5
    return torch.randn(shape, generator=random) * 0.1


def _generator(name: str) -> torch.Generator:
    return torch.Generator().manual_seed(zlib.crc32(name.encode()))
