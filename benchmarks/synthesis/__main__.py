# SPDX-License-Identifier: Apache-2.0
"""The whole table of docs/performance.md, or a part of it.

    python -m benchmarks.synthesis [--quick] [--model embedded coco] [--size 256 512] [--map median hard] [--rounds 7]
        [--threads 1 2] [--system ...] [--without ...] [--no-table] [--large [SIDE ...]] [--profile] [--page]

Systems paint in turns in one process; a ratio is that of two neighbours, plain PyTorch's time by the system's: the
median over the rounds, and the smallest and largest. Seconds are of the processor with one thread, which other programs
hardly change, with two of the clock. Maps are made here: "median" has as many different neighbourhoods as
photos' label maps have at the median, "hard" several times as many, "noise" a class at random in every pixel, which no
picture has. What is measured is added to --results, in which a newer row takes an older one's place; --page writes
docs/performance.md and its plot from all of it. Without a word, everything is measured and written.
"""

from __future__ import annotations

import argparse
import logging
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import torch

from spade_core.runtime import keep_freed_memory

from .inputs import MAPS, MODELS, network_of
from .layer import layers, preview_differences
from .measuring import Row, measured
from .page import write_page
from .plan import PLAN, Case
from .profile import profiled
from .results import Large, Results
from .systems import SYSTEMS

HEAD = "system                seconds   ratio (from-to)       MiB  difference"
PROFILES = ("embedded", "median", 256), ("embedded", "median", 512), ("coco", "median", 256)


def main() -> None:
    chosen = _options()
    warnings.simplefilter("ignore")  # of exporters
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    keep_freed_memory()  # as the server and the command line do
    results = Results.read(chosen.results).on_this_machine()
    known = cache(network_of)
    for case in filter(_wanted(chosen), PLAN):
        torch.set_num_threads(case.threads)
        names = [name for name in case.systems if name in chosen.system and name not in chosen.without]
        print(f"\n{case.name}\n{HEAD}")
        rows = measured(replace(case, rounds=chosen.rounds or case.rounds), known(case.model), names, print)
        for row in rows:
            print(_line(row), flush=True)
        results = results.with_rows(rows)
        results.write(chosen.results)
    torch.set_num_threads(1)
    for side in chosen.large or ():
        results = results.with_large(_large(side))
        results.write(chosen.results)
    if chosen.profile:
        for model, kind, side in PROFILES:
            found = profiled(model, known(model), kind, side)
            print(found, flush=True)
            results = results.with_profile(found)
            results.write(chosen.results)
        results = results.with_layers(layers(), preview_differences())
        print(results.layers, results.preview, flush=True)
        results.write(chosen.results)
    if chosen.page:
        write_page(results)


def _wanted(chosen: argparse.Namespace) -> Callable[[Case], bool]:
    def wanted(case: Case) -> bool:
        if chosen.quick:
            return case == PLAN[0]
        return (
            chosen.table
            and case.model in chosen.model
            and case.map in chosen.map
            and (not chosen.size or case.side in chosen.size)
            and case.threads in chosen.threads
        )

    return wanted


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
    words.add_argument("--quick", action="store_true", help="the first case only")
    words.add_argument("--model", nargs="+", default=list(MODELS), choices=MODELS)
    words.add_argument("--size", nargs="+", type=int, help="of the table's")
    words.add_argument("--map", nargs="+", default=list(MAPS), choices=MAPS)
    words.add_argument("--rounds", type=int, help="in place of the table's")
    words.add_argument("--system", nargs="+", default=list(SYSTEMS), choices=SYSTEMS)
    words.add_argument("--without", nargs="+", default=[], choices=SYSTEMS)
    words.add_argument("--threads", nargs="+", type=int, default=[1, 2], help="of the table's")
    words.add_argument("--no-table", dest="table", action="store_false")
    words.add_argument("--large", nargs="*", type=int, metavar="SIDE", help="pictures in tiles")
    words.add_argument("--profile", action="store_true")
    words.add_argument("--page", action="store_true")
    words.add_argument("--results", type=Path, default=Path("out/synthesis.json"))
    chosen = words.parse_args()
    if len(sys.argv) == 1:  # all of it
        chosen.large, chosen.profile, chosen.page = [1024, 2048, 4096, 8192], True, True
    return chosen


if __name__ == "__main__":
    main()
