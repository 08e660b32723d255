# SPDX-License-Identifier: Apache-2.0
"""What a picture takes where another program uses the cores, too: `python -m benchmarks.shared_cores`.

Threads that wait for each other asleep, as ours do, against OpenMP's own way, which keeps their cores busy meanwhile.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

import numpy as np

from spade_core.runtime import SLEEPING_THREADS, physical_cores

SIDES = (64, 256, 512)
ROUNDS, PICTURES = 3, 8
WAYS = {"asleep": SLEEPING_THREADS, "OpenMP's own": {"OMP_WAIT_POLICY": ""}}


def paint() -> None:
    """In a process of its own: the median milliseconds of each size."""
    import torch

    from spade_core.synthesis.synthesizer import Synthesizer

    torch.set_num_threads(physical_cores())
    synthesizer = Synthesizer.load()
    for side in SIDES:
        label_map = np.zeros((side, side), np.uint8)
        label_map[side // 2 :] = 9
        times = []
        for shift in range(PICTURES):
            label_map[side // 3 : side // 2] = 4 * (np.arange(side) > 9 * shift)
            began = time.perf_counter()
            synthesizer.render(label_map, seed=1000 + shift)
            times.append((time.perf_counter() - began) * 1e3)
        print(np.median(times[1:]))


def measured(way: dict[str, str]) -> list[float]:
    """Milliseconds of each size."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))
    }
    environment |= {name: value for name, value in way.items() if value}
    command = [sys.executable, "-m", "benchmarks.shared_cores", "paint"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return [float(line) for line in done.stdout.split()]


def main() -> None:
    """Print a table, rounds interleaved."""
    print(
        f"{physical_cores()} cores, load {os.getloadavg()[0]:.1f}; median ms of {', '.join(map(str, SIDES))} squared"
    )
    for others in (0, physical_cores()):
        busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(others)]
        try:
            rounds = [{name: measured(way) for name, way in WAYS.items()} for _ in range(ROUNDS)]
        finally:
            for process in busy:
                process.kill()
        for name in WAYS:
            median = np.median([each[name] for each in rounds], axis=0)
            print(f"{others} other busy programs, {name:>12}: " + " ".join(f"{ms:7.0f}" for ms in median))


if __name__ == "__main__":
    paint() if sys.argv[1:] == ["paint"] else main()
