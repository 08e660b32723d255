# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the label pass takes in the example valley: median and range of several runs, everything included.

Run it with a Python that has Blender: `python -m benchmarks.label_pass [RUNS]`.
"""

from __future__ import annotations

import os
import statistics
import sys
import time

from build_steps.staging import stage_for_import

SIZES = ((512, 512), (1024, 1024))
TARGET_512 = 1.5


def main(runs: int = 7) -> None:
    stage_for_import()
    import bpy
    import spade_backdrops

    spade_backdrops.register()
    try:
        seconds = measure(bpy, runs)
        print(f"Label pass, example valley, Blender {bpy.app.version_string}, {os.cpu_count()} cores")
    finally:
        spade_backdrops.unregister()  # Blender 4.5 hangs at exit otherwise
    print(f"{'size':>11}  {'median s':>8}  {'range s':>13}")
    for (width, height), taken in seconds.items():
        spread = f"{min(taken):.2f} to {max(taken):.2f}"
        print(f"{width:>5} x {height:<4} {statistics.median(taken):8.2f}  {spread:>13}")
    print(f"Target at 512 x 512: under {TARGET_512} s.")


def measure(bpy, runs: int) -> dict[tuple[int, int], list[float]]:
    """Seconds a pass took, by size."""
    from spade_backdrops.example.valley import build_valley
    from spade_backdrops.scene.label_pass import render_label_map
    from spade_backdrops.scene.label_rules import auto_assign

    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    scene = bpy.context.scene
    build_valley(scene)
    auto_assign(scene)
    seconds: dict[tuple[int, int], list[float]] = {}
    with silence():
        render_label_map(scene, (64, 64))  # the first render loads Cycles
        for size in SIZES:
            for _ in range(runs):
                start = time.perf_counter()
                render_label_map(scene, (size[1], size[0]))
                seconds.setdefault(size, []).append(time.perf_counter() - start)
    return seconds


class silence:
    """Sends what Blender itself prints about each render nowhere."""

    def __enter__(self) -> None:
        sys.stdout.flush()
        self._kept = os.dup(1)
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 1)

    def __exit__(self, *_) -> None:
        os.dup2(self._kept, 1)
        os.close(self._kept)


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:2]))
