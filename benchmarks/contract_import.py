# SPDX-License-Identifier: Apache-2.0
"""What importing the contract adds to importing numpy, in fresh processes: Blender pays it when it starts.

python -m benchmarks.contract_import
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIMIT_MS = 30.0
ROUNDS = 15
MODULES = {
    "all that Blender imports when it starts": "labels connection client",
    "and what its first connection needs": "labels connection client transport",
}

TIMED = """
import time, numpy
began = time.perf_counter()
import {modules}
print((time.perf_counter() - began) * 1e3)
"""


def measured(names: str, cache: str) -> list[float]:
    """Milliseconds of each round, in a process of its own; compiled once before, as what is installed is."""
    modules = ", ".join(f"spade_core.contract.{name}" for name in names.split())
    source = TIMED.format(modules=modules)
    environment = os.environ | {"PYTHONPYCACHEPREFIX": cache, "PYTHONDONTWRITEBYTECODE": ""}
    command = [sys.executable, "-c", source]
    times = [
        float(subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True).stdout)
        for _ in range(1 + ROUNDS)
    ]
    return times[1:]


def main() -> None:
    """Print the table."""
    print(f"{'import':40} {'best':>8} {'median':>8}   (ms over numpy; limit {LIMIT_MS:g})")
    for what, names in MODULES.items():
        with tempfile.TemporaryDirectory() as cache:
            times = measured(names, cache)
        print(f"{what:40} {min(times):8.1f} {statistics.median(times):8.1f}")


if __name__ == "__main__":
    main()
