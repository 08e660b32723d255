# SPDX-License-Identifier: Apache-2.0
"""Systems in turns in one process, so that whatever else the machine does hits each alike."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from server.worker.memory import peak_of
from spade_core.model.spade import Generator

from .inputs import Inputs, inputs_of, label_map, with_object
from .plan import Case
from .systems import MOVED_OBJECT, NEW_STYLE, OURS, SYSTEMS, Painting, ours, system, why_not


@dataclass(frozen=True)
class Row:
    """One system of one case. ratio: how many times as fast as plain PyTorch, of neighbours: the median over the
    rounds, and the smallest and largest. mebibytes: over the loaded process. difference: the largest from plain's
    colours, which are -1 to 1. load: the system's, before. Seconds of the processor with one thread, of the clock with
    two."""

    case: str
    system: str
    seconds: float
    ratio: float
    lowest: float
    highest: float
    mebibytes: float
    difference: float
    load: float

    @property
    def key(self) -> str:
        return f"{self.case} {self.system}"


def measured(case: Case, network: Generator, names: Sequence[str], say: Callable[[str], None]) -> list[Row]:
    """Rows in the order of SYSTEMS; `say` is told why a system has none."""
    load = round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else 0.0
    clock = time.perf_counter if case.threads > 1 else time.process_time
    ids = label_map(case.map, case.side, network.config.label_channels, 1)
    first = inputs_of(network, ids, 0)
    painted = _painted(network, first, names, say)
    with torch.inference_mode():
        exact = painted[SYSTEMS[0]](first)
        differences, memory = {}, {}
        for name, paint in painted.items():
            differences[name] = float((paint(first) - exact).abs().max())
            memory[name] = peak_of(lambda: paint(first), "cpu") / 2**20  # noqa: B023
        seconds: dict[str, list[float]] = {name: [] for name in painted}
        for step in range(case.rounds):
            for name, paint in painted.items():
                before, seen = _given(name, network, ids, step)
                if name in OURS:
                    paint(before)
                began = clock()
                paint(seen)
                seconds[name].append(clock() - began)
    rows = []
    for name, times in seconds.items():
        ratios = np.array(seconds[SYSTEMS[0]]) / np.array(times)
        middle = float(np.median(times)), float(np.median(ratios))
        spread = float(ratios.min()), float(ratios.max())
        rows.append(Row(case.name, name, *middle, *spread, memory[name], differences[name], load))
    return rows


def _painted(
    network: Generator, seen: Inputs, names: Sequence[str], say: Callable[[str], None]
) -> dict[str, Painting]:
    painted: dict[str, Painting] = {}
    own: dict[str, Painting] = {}
    for name in SYSTEMS:
        if name != SYSTEMS[0] and name not in names:
            continue
        reason = why_not(name)
        if not reason:
            try:
                with torch.no_grad():
                    if name in OURS:
                        own = own or ours(network)
                        painted[name] = own[name.partition(",")[0]]
                    else:
                        painted[name] = system(name, network, seen)
                with torch.inference_mode():
                    painted[name](seen)
            except Exception as error:
                painted.pop(name, None)
                reason = (
                    f"{name} gives up: {(str(error).strip().splitlines() or [type(error).__name__])[0][:150]}"
                )
        if reason:
            say(reason)
    return painted


def _given(name: str, network: Generator, ids: np.ndarray, step: int) -> tuple[Inputs, Inputs]:
    """What is painted before, and what is timed."""
    if name.endswith(MOVED_OBJECT):
        before, timed = (
            inputs_of(network, with_object(ids, left), step) for left in (8 * step + 4, 8 * step)
        )
        return before, timed
    first = inputs_of(network, ids, 0)
    if name.endswith(NEW_STYLE):
        return first, first.with_style(step)
    turned = inputs_of(network, np.ascontiguousarray(ids[::-1, ::-1]), step)
    return (turned, first) if step % 2 else (first, turned)
