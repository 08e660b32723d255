# SPDX-License-Identifier: Apache-2.0
"""`python -m examples.projected_walk`: the picture on the valley's blocks, and steps to the right of its camera.

Makes docs/pictures/projection.jpg, and prints how much of the surfaces in sight no projection reaches.
"""

# What add-ons hang on Scene is unknown to the stubs.
# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from build_steps.staging import stage_for_import

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "pictures" / "projection.jpg"
SERVER = (sys.executable, "-m", "spade_server")
SEED = 11
STEPS_M = (0.0, 3.0, 6.0)
SIZE = (640, 360)
GAP = 6
_LIT = 128


def main() -> None:
    stage_for_import()
    import bpy  # before the rest: it brings bmesh and mathutils along
    from spade_backdrops.example.valley import build_valley
    from spade_backdrops.scene.label_rules import auto_assign

    from . import demo_scene

    scene = demo_scene.empty_scene()
    build_valley(scene)
    auto_assign(scene)
    scene.spade.seed, scene.spade.placement = SEED, "PROJECTION"
    scene.spade.width, scene.spade.height = 1024, 576
    with tempfile.TemporaryDirectory() as folder:
        demo_scene.open_server(SERVER, Path(folder) / "server")
        rows = []
        for name, act in (
            ("one picture", bpy.ops.spade.generate),
            ("and what is hidden", bpy.ops.spade.fill_hidden),
        ):
            act()
            shares = [bare_share(scene, step, Path(folder)) for step in STEPS_M]
            print(
                name,
                " ".join(f"{step:g} m: {share:.1%}" for step, share in zip(STEPS_M, shares, strict=True)),
            )
            rows.append([view(scene, step, Path(folder)) for step in STEPS_M])
        demo_scene.leave()
    sheet(rows).save(PICTURE, quality=86, optimize=True)


def view(scene, aside: float, folder: Path, samples: int = 16) -> Image.Image:
    """What the camera sees from so many metres to the right; it is where it was then."""
    from . import demo_scene

    scene.render.resolution_x, scene.render.resolution_y = SIZE
    scene.camera.location.x += aside
    try:
        demo_scene.render(scene, folder / "view.png", samples)
    finally:
        scene.camera.location.x -= aside
    with Image.open(folder / "view.png") as opened:
        return opened.convert("RGB")


def bare_share(scene, aside: float, folder: Path) -> float:
    """The share of the surfaces in sight that no projection reaches: what does not change with the paint's light."""
    from spade_backdrops.scene.label_pass import render_label_map

    light = scene.spade.paint.nodes["Spade Light"]
    factor = light.inputs["Scale"].links[0].from_socket
    seen = []
    for strength in (0.0, 1000.0):
        scene.spade.paint.links.remove(light.inputs["Scale"].links[0]) if light.inputs[
            "Scale"
        ].is_linked else None
        light.inputs["Scale"].default_value = strength
        seen.append(np.asarray(view(scene, aside, folder, samples=1)).astype(int))
    scene.spade.paint.links.new(factor, light.inputs["Scale"])
    scene.camera.location.x += aside
    surfaces = render_label_map(scene, (SIZE[1], SIZE[0])).depth < 1e9
    scene.camera.location.x -= aside
    lit = np.abs(seen[1] - seen[0]).max(axis=2) > _LIT
    return float((~lit)[surfaces].mean())


def sheet(rows: list[list[Image.Image]]) -> Image.Image:
    """The pictures in rows, white between them."""
    width, height = SIZE
    page = Image.new("RGB", (len(rows[0]) * (width + GAP) - GAP, len(rows) * (height + GAP) - GAP), "white")
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            page.paste(picture, (x * (width + GAP), y * (height + GAP)))
    return page


if __name__ == "__main__":
    main()
