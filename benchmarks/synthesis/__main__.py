# SPDX-License-Identifier: Apache-2.0
"""The whole table of docs/performance.md, or a part of it.

    python -m benchmarks.synthesis [--quick] [--model embedded coco] [--size 256 512] [--map median hard] [--rounds 7]
        [--system ...] [--without ...] [--no-table] [--large [SIDE ...]] [--profile] [--page]

Systems paint in turns in one process; a ratio is that of two neighbours, plain PyTorch's time by the system's: the
median over the rounds, and the smallest and largest. Seconds are of the processor with one thread, which other programs
hardly change, else of the clock (--wall: always). Maps are made here: "median" has as many different neighbourhoods as
photos' label maps have at the median, "hard" several times as many, "noise" a class at random in every pixel, which no
picture has. What is measured is added to --results, in which a newer row takes an older one's place; --page writes
docs/performance.md and its plot from all of it. Without a word, everything is measured and written.
"""

from __future__ import annotations

import argparse
import logging
import subprocess
import sys
import time
import warnings
from functools import cache
from pathlib import Path

import torch

from spade_core.runtime import keep_freed_memory

from .inputs import MAPS, MODELS, network_of
from .layer import layers, preview_differences
from .measuring import Row, measured
from .page import write_page
from .profile import profiled
from .results import Large, Results
from .systems import SYSTEMS

PLAN = (
    ("embedded", "median", 256, 7),
    ("embedded", "hard", 256, 5),
    ("embedded", "median", 512, 5),
    ("embedded", "hard", 512, 3),
    ("embedded", "median", 1024, 3),
    ("coco", "median", 256, 5),
    ("coco", "hard", 256, 3),
    ("coco", "median", 512, 3),
    ("coco", "noise", 256, 3),
)
"""Model, map, side and rounds of the whole table."""
HEAD = "system                seconds   ratio (from-to)       MiB  difference"
QUICK = 2**16
"""Pixels of what --quick measures at most."""
PROFILES = ("embedded", "median", 256), ("embedded", "median", 512), ("coco", "median", 256)


def main() -> None:
    chosen = _options()
    warnings.simplefilter("ignore")  # of exporters
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    keep_freed_memory()  # as the server and the command line do
    torch.set_num_threads(chosen.threads)
    clock = time.perf_counter if chosen.wall or chosen.threads > 1 else time.process_time
    results = Results.read(chosen.results).on_this_machine(chosen.threads)
    known = cache(network_of)
    names = [name for name in chosen.system if name not in chosen.without]
    for model, kind, side, rounds in PLAN if chosen.table else ():
        if model not in chosen.model or kind not in chosen.map or (chosen.size and side not in chosen.size):
            continue
        if chosen.quick and (model != "embedded" or side**2 > QUICK):
            continue
        network = known(model)
        print(f"\n{model}, {kind} map, {side} x {side}\n{HEAD}")
        rows = measured(model, network, kind, side, chosen.rounds or rounds, names, clock, print)
        for row in rows:
            print(_line(row), flush=True)
        results = results.with_rows(rows)
        results.write(chosen.results)
    for side in chosen.large or ():
        results = results.with_large(_large(side))
        results.write(chosen.results)
    if chosen.profile:
        for model, kind, side in PROFILES:
            found = profiled(model, known(model), kind, side, clock)
            print(found, flush=True)
            results = results.with_profile(found)
            results.write(chosen.results)
        results = results.with_layers(layers(clock), preview_differences())
        print(results.layers, results.preview, flush=True)
        results.write(chosen.results)
    if chosen.page:
        write_page(results)


def _line(row: Row) -> str:
    return (
        f"{row.system:<20} {row.seconds:>8.3f}  {row.ratio:>6.2f} ({row.lowest:.2f}-{row.highest:.2f})  "
        f"{row.mebibytes:>7.0f}  {row.difference:.1e}"
    )


def _large(side: int) -> Large:
    """In a process of its own, as benchmarks.large has it."""
    command = [sys.executable, "-m", "benchmarks.large", "parts", str(side)]
    line = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    print(line, end="", flush=True)
    side_painted, _, seconds, processor, mebibytes = line.split()
    return Large(int(side_painted), float(seconds), float(processor), float(mebibytes))


def _options() -> argparse.Namespace:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--quick", action="store_true", help="the embedded model at 256 only")
    words.add_argument("--model", nargs="+", default=list(MODELS), choices=MODELS)
    words.add_argument("--size", nargs="+", type=int, help="of the table's")
    words.add_argument("--map", nargs="+", default=list(MAPS), choices=MAPS)
    words.add_argument("--rounds", type=int, help="in place of the table's")
    words.add_argument("--system", nargs="+", default=list(SYSTEMS), choices=SYSTEMS)
    words.add_argument("--without", nargs="+", default=[], choices=SYSTEMS)
    words.add_argument("--threads", type=int, default=1)
    words.add_argument("--wall", action="store_true")
    words.add_argument("--no-table", dest="table", action="store_false")
    words.add_argument("--large", nargs="*", type=int, metavar="SIDE", help="pictures in tiles")
    words.add_argument("--profile", action="store_true")
    words.add_argument("--page", action="store_true")
    words.add_argument("--results", type=Path, default=Path("out/synthesis.json"))
    chosen = words.parse_args()
    if len(sys.argv) == 1:  # all of it
        chosen.large, chosen.profile, chosen.page = [1024, 2048, 4096], True, True
    return chosen


if __name__ == "__main__":
    main()
