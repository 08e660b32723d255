# SPDX-License-Identifier: Apache-2.0
"""Each pixel's features divided by their root mean square: as plain PyTorch, and in one pass over memory."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .library import fits, function, in_threads

EPS = 1e-12


def unit_length(x: Tensor) -> Tensor:
    """x: (B, C, h, w); each pixel's C features divided by their root mean square."""
    return _UnitLength.apply(x) if fits(x) else plain_unit_length(x)  # type: ignore[return-value]


def plain_unit_length(x: Tensor) -> Tensor:
    """As `unit_length`, on any device."""
    return F.normalize(x, dim=1) * x.shape[1] ** 0.5


class _UnitLength(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        output, channels = torch.empty_like(x), x.shape[1]
        call, given = function("unit_length", x.dtype), (x.data_ptr(), output.data_ptr(), channels, EPS)
        in_threads(lambda part, first, last: call(*given, first, last), x.numel() // channels)
        ctx.save_for_backward(x)
        return output

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:  # type: ignore[override]
        (x,) = ctx.saved_tensors
        grad, of_x = grads[0].contiguous(memory_format=torch.channels_last), torch.empty_like(x)
        channels = x.shape[1]
        given = (x.data_ptr(), grad.data_ptr(), of_x.data_ptr(), channels, EPS)
        call = function("unit_length_backward", x.dtype)
        in_threads(lambda part, first, last: call(*given, first, last), x.numel() // channels)
        return of_x
