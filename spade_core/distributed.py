# SPDX-License-Identifier: Apache-2.0
"""Several processes that train one model: each computes a part of a batch, together they compute the whole of it.

They are started by torchrun or `accelerate launch`. Alone, a process is the whole: nothing here costs anything then.
Random numbers are drawn for the joined batch on every process, on the CPU, and each keeps its own rows: two processes
draw what one would, and need no random state of their own.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as distributed
from torch import Tensor


def world_size() -> int:
    """How many processes there are."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def rank() -> int:
    """Which of them this is, from 0; number 0 writes the files."""
    return distributed.get_rank() if world_size() > 1 else 0


@contextmanager
def process_group(device: torch.device) -> Iterator[None]:
    """Find the others that the launcher started, where it started any; leave them at the end.

    device: what each computes on; of several GPUs each process takes its own as "cuda".
    """
    if int(os.environ.get("WORLD_SIZE", 1)) == 1:
        yield
        return
    if device.type == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)))
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield
    finally:
        distributed.destroy_process_group()


def barrier() -> None:
    """Until all are here."""
    if world_size() > 1:
        distributed.barrier()


def local_rows(joined: Tensor) -> Tensor:
    """This process's rows of a (B, ...) tensor of the whole batch; B is a multiple of the processes."""
    return joined.chunk(world_size())[rank()]


def gathered_rows(part: Tensor) -> Tensor:
    """The (B, ...) tensor of the whole batch, of which every process has its rows; without gradients."""
    if world_size() == 1:
        return part.detach()
    whole = torch.zeros(world_size(), *part.shape, dtype=part.dtype, device=part.device)
    whole[rank()] = part.detach()
    return _all_reduced(whole).flatten(0, 1)


def all_reduce_sum(part: Tensor) -> Tensor:
    """The sum over all processes. Gradients pass: what one process does with the sum reaches the parts of all."""
    return part if world_size() == 1 else _Sum.apply(part)  # type: ignore[return-value]


def all_reduce_mean(value: Tensor) -> Tensor:
    """The mean over all processes, without gradients."""
    return all_reduce_sum(value.detach()) / world_size()


def any_rank(flag: bool) -> bool:
    """Whether the flag is set on one of the processes."""
    return bool(all_reduce_sum(torch.tensor(float(flag))) > 0)


def average_gradients(parameters: Iterable[Tensor]) -> None:
    """Every process's loss is the mean over its rows: the mean of their gradients is the joined batch's."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if world_size() == 1 or not gradients:
        return
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    distributed.all_reduce(flat)
    for gradient, mean in zip(gradients, flat.split([each.numel() for each in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient) / world_size())


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, part: Tensor) -> Tensor:
        return _all_reduced(part)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return _all_reduced(gradients[0])


def _all_reduced(part: Tensor) -> Tensor:
    whole = part.clone(memory_format=torch.contiguous_format)
    distributed.all_reduce(whole)
    return whole
