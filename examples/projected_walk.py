# SPDX-License-Identifier: Apache-2.0
"""`python -m examples.projected_walk`: the picture on the valley's blocks, and steps to the right of its camera.

Makes docs/pictures/projection.jpg, and prints how much of the surfaces in sight no projection reaches, also after steps
to the left (-); then bakes one of the rocks, turns it in another light, and makes docs/pictures/baked.jpg.
"""

# What add-ons hang on Scene and on operators is unknown to the stubs.
# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from build_steps.staging import stage_for_import

PICTURES = Path(__file__).resolve().parent.parent / "docs" / "pictures"
SERVER = (sys.executable, "-m", "spade_server")
SEED = 3
STEPS_M = (0.0, 3.0, 6.0)
MEASURED_M = (-6.0, -3.0, *STEPS_M)
SIZE = (640, 360)
GAP = 6
ROCK = "Rock 3"
# Of 255: what changes by more when all pictures turn from black to white is painted.
_LIT = 100


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
        for name, paint in (("one picture", bpy.ops.spade.generate), ("filled", bpy.ops.spade.fill_hidden)):
            paint()
            shares = [bare_share(scene, step, Path(folder)) for step in MEASURED_M]
            bare = (f"{step:g} m: {share:.1%}" for step, share in zip(MEASURED_M, shares, strict=True))
            print(f"{name}, bare after", ", ".join(bare), flush=True)
            rows.append([view(scene, step, Path(folder)) for step in STEPS_M])
        sheet(rows).save(PICTURES / "projection.jpg", quality=86, optimize=True)
        baked(scene, Path(folder)).save(PICTURES / "baked.jpg", quality=86, optimize=True)
        demo_scene.leave()


@contextmanager
def aside(scene, step: float) -> Iterator[None]:
    """The camera so many metres to the right."""
    import bpy

    scene.camera.location.x += step
    bpy.context.view_layer.update()
    try:
        yield
    finally:
        scene.camera.location.x -= step
        bpy.context.view_layer.update()


def view(scene, step: float, folder: Path, samples: int = 8) -> Image.Image:
    """What the camera sees from there."""
    from . import demo_scene

    scene.render.resolution_x, scene.render.resolution_y = SIZE
    with aside(scene, step):
        demo_scene.render(scene, folder / "view.png", samples)
    with Image.open(folder / "view.png") as opened:
        return opened.convert("RGB")


def bare_share(scene, step: float, folder: Path) -> float:
    """The share of the surfaces in sight from there that no projection reaches."""
    import bpy
    from spade_backdrops.scene.label_pass import render_label_map

    nodes = [entry.group.nodes["Spade Picture"] for entry in scene.spade.projections]
    pictures = [node.image for node in nodes]
    bare, scene.spade.bare = scene.spade.bare, "MATERIAL"
    bounces, scene.cycles.max_bounces = scene.cycles.max_bounces, 0  # paint is not to light what is bare
    seen = []
    for shade in (0.0, 1.0):
        plain = bpy.data.images.new("Plain", 8, 8)
        plain.generated_color = (shade, shade, shade, 1.0)
        for node in nodes:
            node.image = plain
        seen.append(np.asarray(view(scene, step, folder, samples=1)).astype(int))
    for node, picture in zip(nodes, pictures, strict=True):
        node.image = picture
    scene.spade.bare, scene.cycles.max_bounces = bare, bounces
    with aside(scene, step):
        surfaces = render_label_map(scene, (SIZE[1], SIZE[0])).depth < 1e9
    painted = (seen[1] - seen[0]).min(axis=2) > _LIT
    return float((~painted)[surfaces].mean())


def baked(scene, folder: Path) -> Image.Image:
    """One of the rocks with textures of its own, turned, and these textures."""
    import bpy
    from mathutils import Vector

    seen_from, rock = Vector((-3.0, -6.0, 2.0)), bpy.data.objects[ROCK]
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "valley.blend"))
    for thing in bpy.context.view_layer.objects:
        thing.select_set(thing == rock)
    bpy.ops.spade.bake(size="1024", new_uv_map=True)
    rock.rotation_euler.z += 0.9
    camera = bpy.data.objects.new("Close", scene.camera.data.copy())
    camera.location = rock.matrix_world.translation + seen_from
    camera.rotation_euler = (-seen_from).to_track_quat("-Z", "Y").to_euler()
    scene.collection.objects.link(camera)
    scene.camera = camera
    row = [view(scene, 0.0, folder)]
    for kind in ("color", "roughness", "normal"):
        with Image.open(folder / "textures" / f"{bpy.path.clean_name(ROCK)}_{kind}.png") as opened:
            row.append(opened.convert("RGB").resize((SIZE[1], SIZE[1]), Image.Resampling.LANCZOS))
    return sheet([row])


def sheet(rows: list[list[Image.Image]]) -> Image.Image:
    """Pictures of one height in rows of one width, white between them."""
    height = SIZE[1] + GAP
    width = sum(picture.width + GAP for picture in rows[0]) - GAP
    page = Image.new("RGB", (width, len(rows) * height - GAP), "white")
    for y, row in enumerate(rows):
        x = 0
        for picture in row:
            page.paste(picture, (x, y * height))
            x += picture.width + GAP
    return page


if __name__ == "__main__":
    main()
