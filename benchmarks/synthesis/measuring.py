# SPDX-License-Identifier: Apache-2.0
"""Systems in turns in one process, so that whatever else the machine does hits each alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from server.worker.memory import peak_of
from spade_core.model.spade import Generator

from .inputs import Inputs, inputs_of, label_map, with_object
from .systems import EXACT, MOVED, OURS, STYLE, SYSTEMS, Painting, system, why_not


@dataclass(frozen=True)
class Row:
    """One system on one map. ratio: how many times as fast as plain PyTorch, of neighbours: the median over the rounds,
    and the smallest and largest. mebibytes: over the loaded process. difference: the largest from plain's colours,
    which are -1 to 1."""

    model: str
    map: str
    side: int
    system: str
    seconds: float
    ratio: float
    lowest: float
    highest: float
    mebibytes: float
    difference: float

    @property
    def key(self) -> str:
        return f"{self.model} {self.map} {self.side} {self.system}"


def measured(
    model: str,
    network: Generator,
    kind: str,
    side: int,
    rounds: int,
    names: Sequence[str],
    clock: Callable[[], float],
    say: Callable[[str], None],
) -> list[Row]:
    """Rows in the order of SYSTEMS; `say` is told why a system has none."""
    ids = label_map(kind, side, network.config.label_channels, 1)
    first = inputs_of(network, ids, 0)
    painted = _painted(network, first, names, say)
    with torch.inference_mode():
        exact = painted[SYSTEMS[0]](first)
        given = {
            name: [inputs_of(network, each, step) for step, each in enumerate(_maps_of(name, ids, rounds))]
            for name in painted
        }
        differences, memory = {}, {}
        for name, paint in painted.items():
            differences[name] = float((paint(first) - exact).abs().max())
            memory[name] = peak_of(lambda: paint(given[name][0]), "cpu") / 2**20  # noqa: B023
        seconds: dict[str, list[float]] = {name: [] for name in painted}
        for step in range(rounds):
            for name, paint in painted.items():
                seen = given[name][step]
                if name == EXACT:  # a map that has nothing in common with what was painted before
                    paint(inputs_of(network, np.ascontiguousarray(seen.classes[0].numpy()[:, ::-1]), step))
                if name == STYLE:
                    paint(first)
                    seen = first.with_style(step)
                if name == MOVED:
                    paint(inputs_of(network, with_object(ids, 8 * step + 4), step))
                began = clock()
                paint(seen)
                seconds[name].append(clock() - began)
    rows = []
    for name, times in seconds.items():
        ratios = np.array(seconds[SYSTEMS[0]]) / np.array(times)
        median, ratio = float(np.median(times)), float(np.median(ratios))
        spread = float(ratios.min()), float(ratios.max())
        rows.append(Row(model, kind, side, name, median, ratio, *spread, memory[name], differences[name]))
    return rows


def _painted(
    network: Generator, seen: Inputs, names: Sequence[str], say: Callable[[str], None]
) -> dict[str, Painting]:
    painted = {}
    for name in SYSTEMS:
        if name != SYSTEMS[0] and name not in names:
            continue
        reason = why_not(name)
        if not reason:
            try:
                ours = next((painted[each] for each in OURS if each in painted and name in OURS), None)
                with torch.no_grad():
                    painted[name] = ours or system(name, network, seen)
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


def _maps_of(name: str, ids: np.ndarray, count: int) -> list[np.ndarray]:
    """What a system is given, one round after the other."""
    if name == MOVED:
        return [with_object(ids, 8 * step) for step in range(count)]
    return [ids if step % 2 else np.ascontiguousarray(ids[:, ::-1]) for step in range(count)]
