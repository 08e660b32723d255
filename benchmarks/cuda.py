# SPDX-License-Identifier: Apache-2.0
"""How long a picture takes on a graphics card: exact, as previews, and what CUDA graphs add.

    python -m benchmarks.cuda [--size 256 512 1024] [--model embedded coco] [--device cuda]

Under eight minutes on one card. "TF32" is PyTorch's default, which the product does not use; "graph" replays one
captured run, as the product does from the third picture of a size on (spade_core/synthesis/graphs.py). Milliseconds are
medians, of work that is already on the card; "request" is Synthesizer.render, from label map to bytes. With
--device cpu everything but graphs runs, slowly: a rehearsal.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from torch import Tensor

from server.worker.memory import peak_of
from spade_core.model.spade import Generator
from spade_core.synthesis.graphs import captured
from spade_core.synthesis.precision import computed_in
from spade_core.synthesis.synthesizer import Synthesizer

from .synthesis.inputs import MODELS, Inputs, inputs_of, label_map, network_of

ROUNDS = 30
Run = Callable[[], Tensor]
HEAD = f"{'model':<10}{'side':>6}  {'way':<22}{'ms':>9}{'MiB':>8}  difference"


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--size", nargs="+", type=int, default=[256, 512, 1024])
    words.add_argument("--model", nargs="+", default=list(MODELS), choices=MODELS)
    words.add_argument("--device", default="cuda")
    words.add_argument("--rounds", type=int, default=ROUNDS)
    chosen = words.parse_args()
    device = torch.device(chosen.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "rehearsal on the processor"
    print(f"{name}, torch {torch.__version__}\n{HEAD}")
    for model in chosen.model:
        network = network_of(model).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        for side in chosen.size:
            _networks(model, network, side, device, chosen.rounds)
        del network
    for side in chosen.size:
        _requests(side, chosen.device, chosen.rounds)


def _networks(model: str, network: Generator, side: int, device: torch.device, rounds: int) -> None:
    ids = label_map("median", side, network.config.label_channels, 1)
    seen = _placed(inputs_of(network, ids, 0), device)
    ways: dict[str, tuple[AbstractContextManager[None], bool]] = {
        "exact": (computed_in(device, ""), False),
        "TF32": (nullcontext(), False),
        "preview": (computed_in(device, "bfloat16"), False),
        "exact, graph": (computed_in(device, ""), True),
        "preview, graph": (computed_in(device, "bfloat16"), True),
    }
    images: dict[str, Tensor] = {}
    for name, (numbers, graph) in ways.items():
        if graph and device.type != "cuda":
            continue
        with torch.inference_mode(), numbers:
            run = _replayed(network, seen) if graph else lambda: network(seen.planes, seen.style, seen.noise)
            images[name] = run().float().clone()
            seconds = _median(run, device, rounds)
            memory = peak_of(run, str(device)) / 2**20
        difference = float((images[name] - images["exact"]).abs().max())
        print(
            f"{model:<10}{side:>6}  {name:<22}{1e3 * seconds:>9.2f}{memory:>8.0f}  {difference:.1e}",
            flush=True,
        )


def _placed(seen: Inputs, device: torch.device) -> Inputs:
    planes = seen.planes.to(device).contiguous(memory_format=torch.channels_last)
    style = None if seen.style is None else seen.style.to(device)
    return Inputs(seen.classes, planes, style, [plane.to(device) for plane in seen.noise])


def _replayed(network: Generator, seen: Inputs) -> Run:
    inputs = seen.planes, seen.style, seen.noise
    replay = captured(network, inputs)
    return lambda: replay(inputs)


def _requests(side: int, device: str, rounds: int) -> None:
    model = Synthesizer.load("landscape", device)
    cells = np.random.default_rng(0).integers(0, 17, (side // 32, side // 32), np.uint8)
    labels = cells.repeat(32, 0).repeat(32, 1)
    pictures = {}
    for precision in ("exact", "preview"):
        seconds = _median(lambda: model.render(labels, seed=1, precision=precision), model.device, rounds)  # noqa: B023
        pictures[precision] = model.render(labels, seed=1, precision=precision).astype(int)
        difference = np.abs(pictures[precision] - pictures["exact"])
        print(
            f"{'request':<10}{side:>6}  {precision:<22}{1e3 * seconds:>9.2f}{'':>8}  "
            f"of 8 bits: largest {difference.max()}, mean {difference.mean():.3f}",
            flush=True,
        )


def _median(run: Callable[[], object], device: torch.device, rounds: int) -> float:
    """Seconds until the card has finished."""
    times = []
    for _ in range(3 + rounds):
        _finish(device)
        began = time.perf_counter()
        run()
        _finish(device)
        times.append(time.perf_counter() - began)
    return float(np.median(times[3:]))


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    main()
