# SPDX-License-Identifier: Apache-2.0
"""`python -m examples.layered_walk`: the valley as layers, its camera moved sideways, and the cards from afar.

Makes docs/pictures/layers.jpg, and prints how much of the picture no card covers after each move.
"""

# What add-ons hang on Scene and on operators is unknown to the stubs.
# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
from __future__ import annotations

import math
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from build_steps.staging import stage_for_import

from .projected_walk import PICTURES, SERVER, aside, sheet, view

SEED = 3
SHARES = (0.0, 0.05, -0.05)
"""How far the nearest card moves to the left, of the picture's width."""
_HOLE = (255, 0, 255)


def main() -> None:
    stage_for_import()
    import bpy  # before the rest: it brings bmesh and mathutils along
    from spade_backdrops.example.valley import build_valley
    from spade_backdrops.place.layers.kept import numbers_in
    from spade_backdrops.place.placement import placed_picture
    from spade_backdrops.scene.label_rules import auto_assign

    from . import demo_scene

    scene = demo_scene.empty_scene()
    build_valley(scene)
    auto_assign(scene)
    scene.spade.seed, scene.spade.placement = SEED, "LAYERS"
    scene.spade.width, scene.spade.height = 1024, 576
    with tempfile.TemporaryDirectory() as folder:
        demo_scene.open_server(SERVER, Path(folder) / "server")
        bpy.ops.spade.generate()
        picture = placed_picture(scene, scene.camera)
        assert picture is not None
        projector, distances = numbers_in(picture)
        print("cards at", ", ".join(f"{each:.0f} m" for each in distances), flush=True)
        steps = [share * distances[0] / projector.scale[0] for share in SHARES]
        for step in steps:
            print(f"{step:+.2f} m: {holes(scene, step, Path(folder)):.2%} holes", flush=True)
        walk = [view(scene, step, Path(folder)) for step in steps]
        sheet([walk[:2], [walk[2], from_afar(scene, Path(folder))]]).save(
            PICTURES / "layers.jpg", quality=86, optimize=True
        )
    demo_scene.leave()


def holes(scene, step: float, folder: Path) -> float:
    """The share of the picture, after a step to the right, that shows no card."""
    import bpy
    from spade_backdrops.place.backdrop import backdrop_of

    backdrop_of(scene, scene.camera).visible_camera = False
    world, scene.world = scene.world, bpy.data.worlds.new("Holes")
    if scene.world.node_tree is None:
        scene.world.use_nodes = True
    scene.world.node_tree.nodes["Background"].inputs["Color"].default_value = (*_HOLE, 1.0)
    seen = np.asarray(view(scene, step, folder, samples=1))
    backdrop_of(scene, scene.camera).visible_camera = True
    scene.world = world
    return float((seen == _HOLE).all(axis=2).mean())


def from_afar(scene, folder: Path) -> Image.Image:
    """The cards, from behind and above their camera's place, without the picture behind."""
    from mathutils import Euler
    from spade_backdrops.place.backdrop import backdrop_of

    camera = scene.camera
    before = camera.matrix_world.copy()
    backdrop_of(scene, camera).visible_camera = False
    camera.location = (-38.0, -14.0, 16.0)
    camera.rotation_euler = Euler((math.radians(86.0), 0.0, math.radians(-32.0)))
    with aside(scene, 0.0):
        seen = view(scene, 0.0, folder)
    camera.matrix_world = before
    backdrop_of(scene, camera).visible_camera = True
    return seen


if __name__ == "__main__":
    main()
