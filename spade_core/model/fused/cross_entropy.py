# SPDX-License-Identifier: Apache-2.0
"""Weighted cross-entropy of every pixel, summed: as plain PyTorch, and in one pass over memory."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .library import fits, function, in_threads


def cross_entropy(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """logits: (B, C, h, w); targets: (B, h, w) int64 below C; weights: (C,) float32. Returns a float32 scalar."""
    if fits(logits):
        return _CrossEntropy.apply(logits, targets.contiguous(), weights.float().contiguous())  # type: ignore[return-value]
    return plain_cross_entropy(logits, targets, weights)


def plain_cross_entropy(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """As `cross_entropy`, on any device."""
    return F.cross_entropy(logits.float(), targets, weights, reduction="sum")


class _CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        logits = logits.contiguous(memory_format=torch.channels_last)
        sums, call = (
            torch.zeros(torch.get_num_threads(), dtype=torch.double),
            function("cross_entropy", logits.dtype),
        )
        given, classes = (logits.data_ptr(), targets.data_ptr(), weights.data_ptr()), logits.shape[1]
        in_threads(
            lambda part, first, last: call(*given, sums[part].data_ptr(), classes, first, last),
            targets.numel(),
        )
        ctx.save_for_backward(logits, targets, weights)
        return sums.sum().float()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        logits, targets, weights = ctx.saved_tensors
        of_logits, call = torch.empty_like(logits), function("cross_entropy_backward", logits.dtype)
        given = (
            logits.data_ptr(),
            targets.data_ptr(),
            weights.data_ptr(),
            float(grads[0]),
            of_logits.data_ptr(),
        )
        in_threads(lambda part, first, last: call(*given, logits.shape[1], first, last), targets.numel())
        return of_logits, None, None
