# SPDX-License-Identifier: Apache-2.0
"""Other numbers than float32: one layer's time in them, and how far previews are from exact pictures."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from spade_core.model.convolution.convolution import Convolution
from spade_core.model.convolution.features import Features
from spade_core.model.convolution.library import library
from spade_core.pixels import to_rgb
from spade_core.synthesis.precision import computed_in

from .inputs import inputs_of, label_map, network_of
from .systems import EXACT, PREVIEW, has_bf16, ours

CHANNELS, SIDE, ROUNDS = 128, 128, 9


def layers(clock: Callable[[], float] = time.process_time) -> dict[str, float]:
    """Seconds of a 3x3 convolution of CHANNELS channels and SIDE^2 pixels, the median over ROUNDS in turns. A layer of
    int8 has its input in int8 already, and gives int8."""
    torch.manual_seed(0)
    layer = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    x = torch.randn(1, CHANNELS, SIDE, SIDE).contiguous(memory_format=torch.channels_last)
    compiled, features = Convolution.of(layer), Features(x)
    ways: dict[str, Callable[[], object]] = {
        "float32, PyTorch": lambda: layer(x),
        "float32, the compiled generator's": lambda: compiled(features),
        "int8, PyTorch": _int8(layer, x),
    }
    if has_bf16():
        half, small = copy.deepcopy(layer).bfloat16(), x.bfloat16()
        ways["bfloat16, PyTorch"] = lambda: half(small)
        ways["bfloat16, the compiled generator's"] = lambda: compiled(features, bfloat16=True)
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


def preview_differences(side: int = 256, pictures: int = 3) -> dict[str, float]:
    """Of the embedded model's pictures in bfloat16 from those in float32, in steps of 8 bits: the largest and the mean,
    of the compiled generator's and of PyTorch's. Empty where the processor has none."""
    if not has_bf16() or library() is None:
        return {}
    network, found = network_of("embedded"), {"": [], "PyTorch, ": []}
    painted = ours(network)
    for seed in range(pictures):
        seen = inputs_of(network, label_map("median", side, network.config.label_channels, seed), seed)
        with torch.inference_mode():
            exact = _bytes(painted[EXACT](seen))
            found[""].append(np.abs(_bytes(painted[PREVIEW](seen)) - exact))
            with computed_in(torch.device("cpu"), "bfloat16"):
                image = network(seen.planes, seen.style, seen.noise)
            found["PyTorch, "].append(np.abs(_bytes(image) - exact))
    each = {f"{whose}largest": float(np.max(steps)) for whose, steps in found.items()}
    return each | {f"{whose}mean": float(np.mean(steps)) for whose, steps in found.items()}


def _bytes(image: torch.Tensor) -> np.ndarray:
    return to_rgb(image.float()[0]).astype(int)


def _int8(layer: nn.Conv2d, x: torch.Tensor) -> Callable[[], object]:
    assert layer.bias is not None
    scales, zeros = layer.weight.detach().abs().amax((1, 2, 3)) / 127, torch.zeros(CHANNELS, dtype=torch.long)
    weight = torch.quantize_per_channel(layer.weight.detach(), scales, zeros, 0, torch.qint8)
    packed = torch.ops.quantized.conv2d_prepack(weight, layer.bias.detach(), [1, 1], [1, 1], [1, 1], 1)
    given = torch.quantize_per_tensor(x, 0.05, 64, torch.quint8)
    return lambda: torch.ops.quantized.conv2d(given, packed, 0.05, 64)
