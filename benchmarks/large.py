# SPDX-License-Identifier: Apache-2.0
"""Seconds and memory of large pictures, painted by the embedded model itself: as a whole, and in parts.

    python -m benchmarks.large [SIDE ...]

Each in a process of its own; a whole one only where it would take less than half of the memory that is free.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np

SIDES = (1024, 2048, 4096, 8192)
WHOLE_BYTES_A_PIXEL = 3300
_WAYS = ("whole", "parts")


def main(sides: tuple[int, ...]) -> None:
    print(f"{'side':>6}{'painted':>9}{'seconds':>9}{'of processor':>13}{'MiB over the loaded process':>29}")
    for side in sides:
        for way in _WAYS:
            if way == "whole" and side * side * WHOLE_BYTES_A_PIXEL > available() / 2:
                continue
            subprocess.run([sys.executable, "-m", "benchmarks.large", way, str(side)], check=True)


def measure(way: str, side: int) -> None:
    from spade_core.runtime import keep_freed_memory, return_freed_memory
    from spade_core.synthesis.synthesizer import Synthesizer

    keep_freed_memory()
    model = Synthesizer.load("landscape", "cpu")
    model.parted.whole_bytes = 1e15 if way == "whole" else 0.0
    cells = np.random.default_rng(0).integers(0, 17, (side // 64, side // 64), np.uint8)
    model.render(np.zeros((256, 256), np.uint8))
    return_freed_memory()
    before, began, worked = kilobytes("VmRSS"), time.perf_counter(), time.process_time()
    model.render(cells.repeat(64, 0).repeat(64, 1), seed=3)
    seconds, peak = time.perf_counter() - began, kilobytes("VmHWM") - before
    worked = time.process_time() - worked
    print(f"{side:>6}{way:>9}{seconds:>9.1f}{worked:>13.1f}{peak / 1024:>29.0f}", flush=True)


def kilobytes(what: str, file: str = "/proc/self/status") -> int:
    lines = Path(file).read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what))


def available() -> int:
    return 1024 * kilobytes("MemAvailable", "/proc/meminfo")


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in _WAYS:
        measure(sys.argv[1], int(sys.argv[2]))
    else:
        main(tuple(map(int, sys.argv[1:])) or SIDES)
