# SPDX-License-Identifier: Apache-2.0
"""Pixel norm, scale and shift, activation: as plain PyTorch, and as pixels.c does it in one pass over memory.

In PyTorch each of these is a pass of its own, forward and back, most of them in float32: on a CPU they take longer than
the convolutions between them.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .library import function, in_threads

EPS = 1e-5


@dataclass(frozen=True)
class Use:
    """What comes behind a norm: a leaky ReLU of this slope, 1 for none; a convolution that wants the edge repeated once
    around, if it is padded."""

    slope: float = 1.0
    padded: bool = False


@dataclass(frozen=True)
class Table:
    """The scales and shifts of one or two norms that look at one feature map.

    values: (R, 2 K C), each row gamma and beta of the first norm, then of the second. rows: (B h w,) int32, the row of
    each pixel, or None where pixel p has row p. shared: how many rows, the first ones, belong to any number of pixels;
    each other row belongs to one pixel.
    """

    values: Tensor
    rows: Tensor | None = None
    shared: int = 0


def modulate(
    x: Tensor, table: Table, uses: tuple[Use, ...], noise: Tensor | None, strength: Tensor | None
) -> tuple[Tensor, ...]:
    """What `plainly_modulated` gives, to the rounding of the dtype, and its gradients; where library.fits(x).

    x: (B, C, h, w) float32 or bfloat16, in whose dtype the results and the table are; the rest as there.
    """
    planes = None if noise is None else noise.float().reshape(-1)
    amounts = None if strength is None or noise is None else strength.float().reshape(-1)
    return _Modulation.apply(x, table.values.to(x.dtype), amounts, planes, table.rows, table.shared, uses)  # type: ignore[return-value]


def plainly_modulated(
    x: Tensor, table: Table, uses: tuple[Use, ...], noise: Tensor | None, strength: Tensor | None
) -> tuple[Tensor, ...]:
    """leaky(N(x + strength * noise) * (1 + gamma) + beta), once for each norm of the table.

    uses: one a norm. noise: (B, 1, h, w). strength: (1, C, 1, 1). Each result is (B, C, h, w), or (B, C, h + 2, w + 2)
    where it is padded.
    """
    channels = x.shape[1]
    if noise is not None and strength is not None:
        x = x + strength * noise
    normed = F.layer_norm(x.permute(0, 2, 3, 1), (channels,), eps=EPS)
    rows = table.values if table.rows is None else F.embedding(table.rows, table.values)
    each = rows.view(*normed.shape[:3], -1).split(channels, dim=3)
    results = []
    for gamma, beta, use in zip(each[::2], each[1::2], uses, strict=True):
        result = F.leaky_relu(normed * (1 + gamma) + beta, use.slope).permute(0, 3, 1, 2)
        results.append(F.pad(result, (1, 1, 1, 1), mode="replicate") if use.padded else result)
    return tuple(results)


class _Modulation(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        values: Tensor,
        strength: Tensor | None,
        noise: Tensor | None,
        rows: Tensor | None,
        shared: int,
        uses: tuple[Use, ...],
    ) -> tuple[Tensor, ...]:
        x, values = x.contiguous(memory_format=torch.channels_last), values.contiguous()
        batch, channels, height, width = x.shape
        outputs = tuple(
            x.new_empty(batch, height + 2 * use.padded, width + 2 * use.padded, channels).permute(0, 3, 1, 2)
            for use in uses
        )
        call = function("modulate", x.dtype)
        given = *map(_pointer, (x, noise, strength, values, rows)), _pointers(outputs), *_arrays(uses)
        sizes = len(uses), channels, height, width, EPS
        in_threads(lambda part, first, last: call(*given, *sizes, first, last), batch * height * width)
        ctx.save_for_backward(x, values, strength, noise, rows)
        ctx.shared, ctx.uses = shared, uses
        return outputs

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        x, values, strength, noise, rows = ctx.saved_tensors
        shared, uses = ctx.shared, ctx.uses
        grads = tuple(grad.contiguous(memory_format=torch.channels_last) for grad in grads)
        batch, channels, height, width = x.shape
        of_x, of_values = torch.empty_like(x), torch.empty_like(values)
        parts = torch.get_num_threads()
        of_shared = torch.zeros(parts, shared, values.shape[1], dtype=torch.double)
        of_strength = torch.zeros(parts, channels, dtype=torch.double)
        call = function("modulate_backward", x.dtype)
        given = *map(_pointer, (x, noise, strength, values, rows)), _pointers(grads), *_arrays(uses)
        sizes = len(uses), channels, height, width, EPS, shared

        def work(part: int, first: int, last: int) -> None:
            sums = of_shared[part].data_ptr(), of_strength[part].data_ptr()
            call(*given, *sizes, of_x.data_ptr(), of_values.data_ptr(), *sums, first, last)

        in_threads(work, batch * height * width)
        of_values[:shared] = of_shared.sum(0)
        return (
            of_x,
            of_values,
            None if strength is None else of_strength.sum(0).float(),
            None,
            None,
            None,
            None,
        )


def _pointer(tensor: Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()


def _pointers(tensors: tuple[Tensor, ...]) -> Any:
    return (ctypes.c_void_p * len(tensors))(*(tensor.data_ptr() for tensor in tensors))


def _arrays(uses: tuple[Use, ...]) -> tuple[Any, Any]:
    """Slopes, and which are padded."""
    slopes = (ctypes.c_float * len(uses))(*(use.slope for use in uses))
    return slopes, (ctypes.c_int32 * len(uses))(*(use.padded for use in uses))
