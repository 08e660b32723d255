# SPDX-License-Identifier: Apache-2.0
"""Activations computed twice in place of being kept: memory for time (gradient checkpointing)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

from torch import nn
from torch.nn.utils import parametrize
from torch.utils.checkpoint import checkpoint

from ..contract.errors import BadOptionError
from ..model.decoder import Decoder
from ..model.interface import ImageGenerator


def checkpoint_blocks(generator: ImageGenerator[Any]) -> None:
    """Make every residual block forget what happened inside it until its gradients are wanted.

    Its random numbers are given to it: the second time is like the first. Raises BadOptionError where there are no
    blocks.
    """
    if not isinstance(generator, Decoder):
        raise BadOptionError(
            "This kind of generator cannot compute its activations twice.",
            fix="Leave --recompute out; --accumulate saves memory with every generator.",
        )
    for _, block in generator.blocks():
        once = block.forward
        block.forward = partial(  # type: ignore[method-assign]
            checkpoint,
            once,
            use_reentrant=False,
            preserve_rng_state=False,
            context_fn=partial(_contexts, block),
        )


@contextmanager
def weights_once(network: nn.Module) -> Iterator[None]:
    """Spectral norms are computed once inside: blocks that are computed again must not turn their vectors again."""
    with parametrize.cached():
        for module in network.modules():
            if parametrize.is_parametrized(module, "weight"):
                _ = module.weight  # now it is in the cache
        yield


def _contexts(block: nn.Module) -> tuple[AbstractContextManager, AbstractContextManager]:
    return nullcontext(), _statistics_kept(block)


@contextmanager
def _statistics_kept(block: nn.Module) -> Iterator[None]:
    """Batch norms have already counted this batch when they see it again."""
    norms = [module for module in block.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    counted = [
        None if norm.num_batches_tracked is None else norm.num_batches_tracked.clone() for norm in norms
    ]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum, count in zip(norms, momenta, counted, strict=True):
            norm.momentum = momentum
            if norm.num_batches_tracked is not None and count is not None:
                norm.num_batches_tracked.copy_(count)
