# SPDX-License-Identifier: Apache-2.0
"""Weights of 3x3 convolutions as layers.c wants them.

Winograd's F(4x4, 3x3) multiplies 36 sums of 6x6 pixels by 36 matrices, where the plain convolution multiplies 9 pixels
of each of 16 results: a quarter of the work. Each matrix is a sum of the kernel's nine, by the values of a quadratic
polynomial at the points, so that these decide how much is lost to rounding (see layers.c).
"""

from __future__ import annotations

from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor

POINTS = (0.0, 0.75, -0.75, 1.5, -1.5)
"""As layers.c has them; the sixth is infinity."""


def transformed(weight: Tensor) -> Tensor:
    """weight: (out, in, 3, 3); returns (36, in, out), the matrices, computed in float64."""
    rows = [
        [point**power / prod(point - other for other in POINTS if other != point) for power in range(3)]
        for point in POINTS
    ]
    by = torch.tensor([*rows, [0.0, 0.0, 1.0]], dtype=torch.float64)
    matrices = torch.einsum("ia,ocab,jb->ijco", by, weight.double(), by)
    return matrices.flatten(0, 1).to(weight.dtype)


def panels(matrices: Tensor, lanes: int) -> Tensor:
    """(..., in, out) as (..., panels, in, lanes): `lanes` columns side by side, zeros behind the last."""
    columns = matrices.shape[-1]
    padded = F.pad(matrices, (0, -columns % lanes))
    return padded.unflatten(-1, (-1, lanes)).transpose(-2, -3).contiguous()
