# SPDX-License-Identifier: Apache-2.0
"""CPU seconds and memory that an upscaler takes, by precision: 1024x576 and 4096x2304, both from 256x144.

.venv/bin/python -m benchmarks.upscaling [--large] [--threads 2]

Memory is what its peak adds to what the process held with its weights loaded. --large measures x4plus at 4096x2304 too:
minutes. Beside CPU seconds stand those that a clock on the wall shows, which other programs lengthen.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from itertools import product
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SIZES = ((576, 1024), (2304, 4096))
# A process a row, so that one's peak is not the next one's.
MEASURED = """
import sys, time
import numpy as np
import torch
from spade_core.upscaling.upscaler import Upscaler

def memory(kind):
    lines = dict(line.split(":", 1) for line in open("/proc/self/status"))
    return float(lines[kind].split()[0]) / 1e6

name, precision, height, width, threads = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
torch.set_num_threads(threads)
upscaler = Upscaler.load(name, "cpu", precision)
picture = np.random.default_rng(0).integers(0, 256, (144, 256, 3), np.uint8)
upscaler.upscale(picture[:32, :32], (128, 128))
held = memory("VmRSS")
cpu, wall = time.process_time(), time.perf_counter()
upscaler.upscale(picture, (height, width))
print(time.process_time() - cpu, time.perf_counter() - wall, memory("VmHWM") - held)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    print(
        "| upscaler | precision | picture | CPU seconds | seconds | GB over its weights |\n|---|---|---|---|---|---|"
    )
    for name, (height, width), precision in product(("embedded", "x4plus"), SIZES, ("float32", "bfloat16")):
        if name == "x4plus" and height == SIZES[1][0] and not options.large:
            continue
        words = [name, precision, str(height), str(width), str(options.threads)]
        ended = subprocess.run(
            [sys.executable, "-c", MEASURED, *words], cwd=ROOT, check=True, capture_output=True, text=True
        )
        cpu, wall, memory = map(float, ended.stdout.split())
        print(
            f"| {name} | {precision} | {width}x{height} | {cpu:.2f} | {wall:.2f} | {memory:.2f} |", flush=True
        )


if __name__ == "__main__":
    main()
