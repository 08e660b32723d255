# SPDX-License-Identifier: Apache-2.0
"""How much longer a press takes where its picture is projected on the blocks than where it stands on a backdrop.

    .venv/bin/python -m benchmarks.projection [--rounds 5]

The example valley at 1024 x 576 with the embedded model, in Blender as a module and a server on the same machine.
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
from pathlib import Path

from build_steps.staging import stage_for_import

BOUND_S = 2.0
SERVER = (sys.executable, "-m", "spade_server")


def main() -> int:
    """Print the table; 1 where the bound is missed."""
    words = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    words.add_argument("--rounds", type=int, default=5)
    rounds = words.parse_args().rounds
    stage_for_import()
    import bpy  # before the rest: it brings bmesh and mathutils along
    from spade_backdrops.example.valley import build_valley
    from spade_backdrops.scene.label_rules import auto_assign

    from examples import demo_scene

    scene = demo_scene.empty_scene()
    build_valley(scene)
    auto_assign(scene)
    scene.spade.width, scene.spade.height = 1024, 576
    found: dict[str, list[float]] = {"BACKDROP": [], "PROJECTION": []}
    with tempfile.TemporaryDirectory() as folder:
        demo_scene.open_server(SERVER, Path(folder) / "server")
        bpy.ops.spade.generate()  # the model is loaded, and the colours of the view are found
        for number in range(rounds):
            for placement, seconds in found.items():
                bpy.ops.spade.remove_projections()
                scene.spade.placement = placement
                scene.spade.seed = 2 * number + 1 + (placement == "PROJECTION")
                began = time.monotonic()
                bpy.ops.spade.generate()
                seconds.append(time.monotonic() - began)
        demo_scene.leave()
    plain, projected = (statistics.median(each) for each in found.values())
    more = statistics.median(b - a for a, b in zip(*found.values(), strict=True))
    print(f"{rounds} presses each at 1024 x 576; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"{'on a backdrop, s':<24}{plain:8.2f}")
    print(f"{'projected, s':<24}{projected:8.2f}")
    print(f"{'longer by, s':<24}{more:8.2f}{'' if more <= BOUND_S else f'  over {BOUND_S:g}'}")
    return int(more > BOUND_S)


if __name__ == "__main__":
    sys.exit(main())
