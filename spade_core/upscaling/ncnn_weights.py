# SPDX-License-Identifier: Apache-2.0
"""Reading the weights of a network from ncnn's .bin, which holds numbers alone: what they belong to is known here.

A convolution is a flag of four bytes, its weights in float16 padded to four bytes, and its biases in float32.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from ..contract.errors import BadCheckpointError

FLOAT16 = (0x01306B47).to_bytes(4, "little")
FIX = "Install the package with the weights again."


class NcnnReader:
    """Goes through a .bin from its beginning to its end."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def floats(self, count: int) -> Tensor:
        """The next `count` float32 numbers."""
        return torch.from_numpy(np.frombuffer(self._taken(4 * count), "<f4").copy())

    def half_floats(self, shape: torch.Size) -> Tensor:
        """The next weights, float16 behind their flag, as float32. Raises BadCheckpointError where they are others."""
        if self._taken(4) != FLOAT16:
            raise BadCheckpointError(
                "The ncnn weights are not kept in float16, or are another network's.", FIX
            )
        count = shape.numel()
        numbers = np.frombuffer(self._taken(2 * count + 2 * (count % 2)), "<f2")[:count]
        return torch.from_numpy(numbers.astype(np.float32).reshape(tuple(shape)))

    def finish(self) -> None:
        """Raises BadCheckpointError where numbers are left over."""
        if self._at != len(self._data):
            raise BadCheckpointError("The ncnn weights are longer than their network.", FIX)

    def _taken(self, count: int) -> bytes:
        taken = self._data[self._at : self._at + count]
        if len(taken) != count:
            raise BadCheckpointError("The ncnn weights are shorter than their network.", FIX)
        self._at += count
        return taken


@torch.no_grad()
def fill(network: nn.Module, data: bytes) -> None:
    """Fill a network from a .bin: convolutions and PReLUs lie there in the order in which the network makes them.

    Raises BadCheckpointError where the file holds more or less than the network.
    """
    reader = NcnnReader(data)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            layer.weight.copy_(reader.half_floats(layer.weight.shape))
            assert layer.bias is not None
            layer.bias.copy_(reader.floats(layer.bias.numel()))
        elif isinstance(layer, nn.PReLU):
            layer.weight.copy_(reader.floats(layer.weight.numel()))
    reader.finish()
