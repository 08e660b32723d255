# SPDX-License-Identifier: Apache-2.0
"""Where the compiled generator's time goes, and how much of it is multiplication that nothing saves."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any
from unittest.mock import patch

import torch

from spade_core.model.convolution import convolution
from spade_core.model.convolution.matrices import Matrices
from spade_core.model.spade import Generator
from spade_core.synthesis.compiled import block, generator

from .inputs import inputs_of, label_map
from .systems import EXACT, ours

REPEATS = 5


@dataclass(frozen=True)
class Profile:
    """Shares of one picture's seconds. floor: what its convolutions' multiplications take at `peak`, the most
    multiplications and additions a second that layers.c was seen to do, in billions; so much is left if all else were
    free."""

    model: str
    map: str
    side: int
    seconds: float
    labels: float
    convolutions: float
    rest: float
    floor: float
    peak: float

    @property
    def key(self) -> str:
        return f"{self.model} {self.map} {self.side}"


def profiled(
    model: str, network: Generator, kind: str, side: int, clock: Callable[[], float] = time.process_time
) -> Profile:
    """Of the median of REPEATS pictures, each of another map than the one before."""
    ids = label_map(kind, side, network.config.label_channels, 1)
    maps = [inputs_of(network, each, 0) for each in (ids, ids[:, ::-1].copy())]
    spent: dict[str, float] = {}
    flops = 0.0

    def timed(name: str, work: Callable[..., Any], *given: Any, **named: Any) -> Any:
        began, within = clock(), sum(spent.values())
        result = work(*given, **named)
        # What was timed within this is not its own.
        spent[name] = spent.get(name, 0.0) + clock() - began - (sum(spent.values()) - within)
        return result

    def counted(of: Any, by: Any, height: int, width: int, after_band: Any) -> None:
        nonlocal flops
        tiles = -(-height // by.tile) * -(-width // by.tile)
        flops += tiles * (by.tile + 2) ** 2 * 2 * of.channels * by.fan_out
        if by.shortcut:
            flops += height * width * 2 * of.channels * by.skip_channels
        timed("convolutions", run, of, by, height, width, after_band)

    run, tables = convolution._run, block.CompiledBlock.table
    scales, found = generator.CompiledGenerator._scales, []
    with (
        torch.inference_mode(),
        patch.object(convolution, "_run", counted),
        patch.object(block.CompiledBlock, "table", lambda *given: timed("labels", tables, *given)),
        patch.object(generator.CompiledGenerator, "_scales", lambda *given: timed("labels", scales, *given)),
    ):
        paint = ours(network)[EXACT]
        paint(maps[0])
        paint(maps[1])
        for step in range(REPEATS):
            spent.clear()
            flops = 0.0
            timed("all", partial(paint, maps[step % 2]))
            found.append((sum(spent.values()), spent["labels"], spent["convolutions"], flops))
    seconds, labels, convolutions, flops = sorted(found)[len(found) // 2]
    best = peak(clock)
    rest = seconds - labels - convolutions
    return Profile(model, kind, side, seconds, labels, convolutions, rest, flops / best / 1e9, best)


def peak(clock: Callable[[], float] = time.process_time) -> float:
    """Billions of multiplications and additions a second of layers.c, of a matrix that stays in the cache."""
    rows, inner, width = 768, 256, 128
    matrix, given = Matrices(torch.randn(inner, 1, width), torch.zeros(width)), torch.randn(rows, inner)
    best, times = 0.0, 50
    for _ in range(20):
        began = clock()
        for _ in range(times):
            matrix.sums(given)
        best = max(best, times * 2 * rows * inner * width / (clock() - began) / 1e9)
    return best
