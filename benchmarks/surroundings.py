# SPDX-License-Identifier: GPL-3.0-or-later
"""A panorama of 2048 x 1024 from the press to the world, a bake of 1024, and both as files for an engine: seconds.

    python -m benchmarks.surroundings [--runs 3]

Real Blender, the staged add-on, the example valley, a warm server with the embedded model and its upscaler. Each run
has another seed, and bakes another rock; the panorama is exported as .hdr with its cube map.
"""

# What add-ons hang on Scene and on operators is unknown to the stubs.
# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from build_steps.staging import stage_for_import

BOUNDS = {"panorama 2048 x 1024": 15.0, "bake 1024": 5.0}
SERVER = (sys.executable, "-m", "server")


def measure(runs: int) -> dict[str, list[float]]:
    """Each measured quantity with one number a run; the first press, which starts the server, is left out."""
    import bpy  # before the rest: it brings bmesh and mathutils along
    from spade_backdrops.example.valley import build_valley
    from spade_backdrops.scene.label_rules import auto_assign

    from examples import demo_scene

    scene = demo_scene.empty_scene()
    build_valley(scene)
    auto_assign(scene)
    spade = scene.spade
    found: dict[str, list[float]] = {}

    def timed(name: str, work: Callable[[], object]) -> None:
        began = time.monotonic()
        work()
        found.setdefault(name, []).append(time.monotonic() - began)

    with tempfile.TemporaryDirectory() as folder:
        demo_scene.open_server(SERVER, Path(folder) / "server")
        bpy.ops.wm.save_as_mainfile(filepath=f"{folder}/valley.blend")
        spade.placement, spade.width, spade.height = "PROJECTION", 1024, 576
        bpy.ops.spade.generate()
        for run in range(runs):
            for thing in bpy.context.view_layer.objects:
                thing.select_set(thing.name == f"Rock {run + 1}")
            timed("bake 1024", lambda: bpy.ops.spade.bake(size="1024", new_uv_map=True))
            timed("export baked", lambda: bpy.ops.spade.export_baked(filepath=f"{folder}/rock.glb"))
        spade.placement, spade.width, spade.height = "PANORAMA", 2048, 1024
        for run in range(runs):
            spade.seed = 100 + run
            timed("panorama 2048 x 1024", bpy.ops.spade.generate)
            timed("export panorama", lambda: bpy.ops.spade.export_panorama(filepath=f"{folder}/w.hdr"))
        demo_scene.leave()
    return found


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--runs", type=int, default=3)
    chosen = words.parse_args()
    stage_for_import()
    terminal = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Blender's chatter
    found = measure(chosen.runs)
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"{chosen.runs} runs, {os.cpu_count()} cores, load averages {load}\n", file=terminal)
    print(f"{'':<26}{'median':>9}{'best':>9}{'bound':>9}", file=terminal)
    for name, values in found.items():
        bound = f"{BOUNDS[name]:9.1f}" if name in BOUNDS else ""
        print(f"{name:<26}{statistics.median(values):9.2f}{min(values):9.2f}{bound}", file=terminal)
    return int(any(statistics.median(found[name]) > bound for name, bound in BOUNDS.items()))


if __name__ == "__main__":
    sys.exit(main())
