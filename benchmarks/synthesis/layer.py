# SPDX-License-Identifier: Apache-2.0
"""One layer in other numbers: what a preview on a processor could be computed in."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from spade_core.synthesis.compiled.convolution import Convolution
from spade_core.synthesis.compiled.features import Features

from .systems import has_bf16

CHANNELS, SIDE, ROUNDS = 128, 128, 9


def layers(clock: Callable[[], float]) -> dict[str, float]:
    """Seconds of a 3x3 convolution of CHANNELS channels and SIDE^2 pixels, the median over ROUNDS in turns. A layer of
    int8 has its input in int8 already, and gives int8."""
    torch.manual_seed(0)
    layer = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    x = torch.randn(1, CHANNELS, SIDE, SIDE).contiguous(memory_format=torch.channels_last)
    ours, features = Convolution.of(layer), Features(x)
    ways: dict[str, Callable[[], object]] = {
        "float32, PyTorch": lambda: layer(x),
        "float32, the compiled generator's": lambda: ours(features),
        "int8, PyTorch": _int8(layer, x),
    }
    if has_bf16():
        half, small = copy.deepcopy(layer).bfloat16(), x.bfloat16()
        ways["bfloat16, PyTorch"] = lambda: half(small)
    times: dict[str, list[float]] = {name: [] for name in ways}
    with torch.inference_mode():
        for way in ways.values():
            way()
        for _ in range(ROUNDS):
            for name, way in ways.items():
                began = clock()
                way()
                times[name].append(clock() - began)
    return {name: float(np.median(each)) for name, each in times.items()}


def _int8(layer: nn.Conv2d, x: torch.Tensor) -> Callable[[], object]:
    assert layer.bias is not None
    scales, zeros = layer.weight.detach().abs().amax((1, 2, 3)) / 127, torch.zeros(CHANNELS, dtype=torch.long)
    weight = torch.quantize_per_channel(layer.weight.detach(), scales, zeros, 0, torch.qint8)
    packed = torch.ops.quantized.conv2d_prepack(weight, layer.bias.detach(), [1, 1], [1, 1], [1, 1], 1)
    given = torch.quantize_per_tensor(x, 0.05, 64, torch.quint8)
    return lambda: torch.ops.quantized.conv2d(given, packed, 0.05, 64)
