# SPDX-License-Identifier: Apache-2.0
"""Seconds and memory from a label map to a finished picture, painted small and enlarged, and painted at full size.

.venv/bin/python -m benchmarks.upscaling [--large] [--threads 2]

Memory is what its peak adds to what the process held with its weights loaded. --large adds 8192x4608, and x4plus at
4096x2304: minutes. Beside CPU seconds stand those that a clock on the wall shows, which other programs lengthen.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SMALL, LARGE, LARGEST = (576, 1024), (2304, 4096), (4608, 8192)
ROWS = (
    ("off", "float32", SMALL),
    ("embedded", "float32", SMALL),
    ("embedded", "bfloat16", SMALL),
    ("x4plus", "float32", SMALL),
    ("x4plus", "bfloat16", SMALL),
    ("embedded", "float32", LARGE),
    ("embedded", "bfloat16", LARGE),
)
LARGE_ROWS = (("x4plus", "bfloat16", LARGE), ("embedded", "bfloat16", LARGEST))
# A process a row, so that one's peak is not the next one's.
MEASURED = """
import sys, time
from spade_core.runtime import keep_freed_memory, share_cores

share_cores()  # as the server and the command line do
keep_freed_memory()
import numpy as np
import torch
from PIL import Image
from spade_core.contract.request import PictureRequest
from spade_core.synthesis.paint import paint
from spade_core.synthesis.synthesizer import Synthesizer
from spade_core.upscaling.upscaler import Upscaler

def memory(kind):
    lines = dict(line.split(":", 1) for line in open("/proc/self/status"))
    return float(lines[kind].split()[0]) / 1e6

name, precision, height, width, threads = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
torch.set_num_threads(threads)
model = Synthesizer.load("landscape", "cpu")
upscaler = None if name == "off" else Upscaler.load(name, "cpu", precision)
small = Image.open("examples/lake_labels.png")
upscale = "off" if name == "off" else "auto"

def request(width, height):
    labels = small.resize((min(width, 4096), min(height, 4096 * height // width)), Image.Resampling.NEAREST)
    return PictureRequest(np.asarray(labels), model.label_set, size=(height, width), upscale=upscale)

paint(model, request(512, 288), upscaler=upscaler)
wanted, painted = request(width, height), []
held = memory("VmRSS")
cpu, wall = time.process_time(), time.perf_counter()
paint(model, wanted, None, lambda painting: painted.append(time.perf_counter() - wall), upscaler)
print(time.process_time() - cpu, *painted[:1] or [0], time.perf_counter() - wall, memory("VmHWM") - held)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    print("| picture | upscaler | precision | CPU seconds | small painting after | finished after | GB |")
    print("|---|---|---|---|---|---|---|")
    for name, precision, (height, width) in ROWS + (LARGE_ROWS if options.large else ()):
        words = [name, precision, str(height), str(width), str(options.threads)]
        ended = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", MEASURED, *words],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        )
        cpu, painted, wall, memory = map(float, ended.stdout.split())
        small = f"{painted:.2f} s" if painted else ""
        print(
            f"| {width}x{height} | {name} | {precision} | {cpu:.2f} | {small} | {wall:.2f} s | {memory:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
