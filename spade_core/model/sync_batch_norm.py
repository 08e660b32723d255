# SPDX-License-Identifier: Apache-2.0
"""Batch norm over the joined batch of all processes, on every device (torch's own has no CPU path)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .. import joined


class SyncBatchNorm(nn.BatchNorm2d):
    """Alone, and in eval mode, torch's batch norm; with the same names in its state dict."""

    def forward(self, input: Tensor) -> Tensor:
        """input: (B, C, h, w), this process's rows; every process has as many. Returns the same shape and dtype."""
        if not self.training or joined.count() == 1:
            return super().forward(input)
        x = input.float() if input.dtype in (torch.bfloat16, torch.float16) else input
        size = joined.count() * x.numel() // x.shape[1]
        mean = joined.summed(x.sum((0, 2, 3))) / size
        # In two passes: the difference of two large means would leave little of a small variance.
        centred = x - mean[:, None, None]
        variance = joined.summed(centred.square().sum((0, 2, 3))) / size
        self._follow(mean.detach(), variance.detach() * size / (size - 1))
        normed = centred * torch.rsqrt(variance + self.eps)[:, None, None]
        if self.affine:
            normed = normed * self.weight[:, None, None] + self.bias[:, None, None]
        return normed.to(input.dtype)

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked += 1
        rate = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), rate)
        self.running_var.lerp_(variance.to(self.running_var.dtype), rate)
