# SPDX-License-Identifier: GPL-3.0-or-later
"""From the press of Generate to the placed texture, in real Blender with a warm server: seconds and memory.

    python -m benchmarks.press_to_texture [--size 512] [--runs 5]

Uses the staged add-on, the example valley, the real server and the embedded model. Each run has another
seed, so that nothing comes from a cache.
"""

# What add-ons hang on Scene is unknown to the stubs.
# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from build_steps.staging import stage_for_import

BOUNDS = {
    "press to placed": 5.0,
    "label pass": 1.5,
    "server and worker, GB": 1.5,
}


def measure(size: int, runs: int) -> dict[str, list[float]]:
    """Each measured quantity with one number a run; the first press, which starts the server, is left out."""
    import bpy  # noqa: F401  (before the rest: it brings bmesh and mathutils along)
    from spade_backdrops.example.valley import build_valley
    from spade_backdrops.scene.label_rules import auto_assign
    from spade_backdrops.session import current_session

    from examples import demo_scene

    scene = demo_scene.empty_scene()
    build_valley(scene)
    auto_assign(scene)
    scene.spade.match_camera = False
    scene.spade.width = scene.spade.height = size
    found: dict[str, list[float]] = {name: [] for name in ("press to placed", "label pass", "painting")}
    with tempfile.TemporaryDirectory() as folder:
        demo_scene.open_server((sys.executable, "-m", "spade_server"), Path(folder))
        for run in range(runs + 1):
            scene.spade.seed = run
            job = demo_scene.generate(lambda doing, fraction: None)
            if run:
                found["press to placed"].append(job.seconds["total"])
                found["label pass"].append(job.request.label_seconds)
                found["painting"].append(job.seconds["run"])
        process = current_session().connection.server
        assert process is not None and process.pid is not None
        found["server and worker, GB"] = [resident_gb(process.pid)]
        demo_scene.leave()
    return found


def resident_gb(pid: int) -> float:
    """Proportional memory of a process and its descendants, in GB (pages that they share count once)."""
    total, queue = 0, [pid]
    while queue:
        current = queue.pop()
        rollup = Path(f"/proc/{current}/smaps_rollup").read_text()
        total += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
        for task in Path(f"/proc/{current}/task").iterdir():
            queue += map(int, (task / "children").read_text().split())
    return total * 1024 / 1e9


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--size", type=int, default=512, help="side of the square picture in pixels")
    words.add_argument("--runs", type=int, default=5)
    chosen = words.parse_args()
    stage_for_import()
    terminal = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Blender's chatter
    began = time.monotonic()
    found = measure(chosen.size, chosen.runs)
    print(f"{chosen.size} x {chosen.size}, {chosen.runs} presses, {os.cpu_count()} cores\n", file=terminal)
    print(f"{'':<26}{'median':>9}{'worst':>9}{'bound':>9}", file=terminal)
    for name, values in found.items():
        bound = f"{BOUNDS[name]:9.2f}" if name in BOUNDS else ""
        print(f"{name:<26}{statistics.median(values):9.2f}{max(values):9.2f}{bound}", file=terminal)
    print(f"\nSeconds where nothing else is said; {time.monotonic() - began:.0f} s in all.", file=terminal)
    over = [
        name for name, values in found.items() if name in BOUNDS and statistics.median(values) > BOUNDS[name]
    ]
    if over:
        print(f"Over the bound: {', '.join(over)}", file=terminal)
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
