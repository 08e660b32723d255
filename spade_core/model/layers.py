# SPDX-License-Identifier: Apache-2.0
"""What several networks are built from."""

from __future__ import annotations

from torch import nn

LEAK = 0.2


def conv(fan_in: int, fan_out: int, kernel: int, *, bias: bool = True) -> nn.Conv2d:
    """A convolution that keeps the size."""
    return nn.Conv2d(fan_in, fan_out, kernel, padding=kernel // 2, bias=bias)
