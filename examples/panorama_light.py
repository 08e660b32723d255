# SPDX-License-Identifier: Apache-2.0
"""The README's picture of a panorama's light: a chrome ball and a matte one in the example valley, in four styles.

python -m examples.panorama_light
"""

# What add-ons hang on Scene is unknown to the stubs.
# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false
from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro
from PIL import Image

from build_steps.staging import stage_for_import
from examples.demo import ROOT, SEED, SERVER

COLUMN, GAP = 320, 6
AHEAD_M, BESIDE_M, RADIUS_M = 6.0, 1.15, 1.0


@dataclass(frozen=True)
class Options:
    """Paint the valley's panorama in several styles, and look at two balls in each."""

    output: Path = ROOT / "docs" / "pictures" / "panorama_light.jpg"
    styles: tuple[str, ...] = ("clear-noon", "overcast", "sunset", "dusk")
    width: int = 768
    """of the panorama"""


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    stage_for_import()
    import bpy  # noqa: F401  before the rest: it brings bmesh and mathutils along
    from spade_backdrops.example.valley import build_valley
    from spade_backdrops.place.panorama_world import panorama_of
    from spade_backdrops.scene.label_rules import auto_assign

    from . import demo_scene

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        scene = demo_scene.empty_scene()
        build_valley(scene)
        auto_assign(scene)
        spade = scene.spade
        demo_scene.open_server(SERVER, folder / "server")
        spade.seed, spade.style_source = SEED, "NAMED"
        spade.placement, spade.width, spade.height = "PANORAMA", options.width, options.width // 2
        add_balls(scene)
        scene.render.resolution_x, scene.render.resolution_y = COLUMN, COLUMN * 3 // 4
        columns = []
        for style in options.styles:
            spade.style_name = style
            demo_scene.generate(lambda *_: None)
            around: Any = panorama_of(scene)
            (folder / "around.png").write_bytes(bytes(around.packed_file.data))
            # The world's light is found in a coarse copy of it: its nodes are dear.
            scene.world.cycles.sampling_method, scene.world.cycles.sample_map_resolution = "MANUAL", 256
            demo_scene.render(scene, folder / "balls.png", samples=16)
            columns.append([opened(folder / "around.png"), opened(folder / "balls.png")])
        sheet(columns).save(options.output, quality=86, optimize=True)
        demo_scene.leave()


def add_balls(scene) -> None:
    """One of chrome and one that is matte, before a camera that looks level."""
    import bpy
    from mathutils import Matrix

    camera = scene.camera
    yaw = camera.matrix_world.to_euler().z
    camera.matrix_world = (
        Matrix.Translation(camera.matrix_world.translation)
        @ Matrix.Rotation(yaw, 4, "Z")
        @ Matrix.Rotation(math.pi / 2, 4, "X")
    )
    for name, side, metal, rough in (("Chrome", -1, 1.0, 0.02), ("Matte", 1, 0.0, 1.0)):
        place = camera.matrix_world @ Matrix.Translation((side * BESIDE_M, 0.0, -AHEAD_M))
        bpy.ops.mesh.primitive_uv_sphere_add(
            segments=96, ring_count=48, radius=RADIUS_M, location=place.translation
        )
        ball = bpy.context.object
        assert ball is not None and isinstance(ball.data, bpy.types.Mesh)
        ball.name = f"{name} ball"
        ball.data.shade_smooth()
        material = bpy.data.materials.new(name)
        material.use_nodes = True
        assert material.node_tree is not None
        inputs = material.node_tree.nodes["Principled BSDF"].inputs
        inputs["Base Color"].default_value = (0.8, 0.8, 0.8, 1.0)
        inputs["Metallic"].default_value, inputs["Roughness"].default_value = metal, rough
        ball.data.materials.append(material)
    for thing in scene.objects:
        if thing.type == "LIGHT":
            thing.hide_render = True  # what is seen is the panorama's light alone


def opened(path: Path) -> Image.Image:
    """A picture as wide as a column."""
    with Image.open(path) as file:
        picture = file.convert("RGB")
    height = round(picture.height * COLUMN / picture.width)
    return picture.resize((COLUMN, height), Image.Resampling.LANCZOS)


def sheet(columns: list[list[Image.Image]]) -> Image.Image:
    """Columns side by side, white between the pictures."""
    height = sum(each.height + GAP for each in columns[0]) - GAP
    page = Image.new("RGB", (len(columns) * (COLUMN + GAP) - GAP, height), "white")
    for place, column in enumerate(columns):
        y = 0
        for each in column:
            page.paste(each, (place * (COLUMN + GAP), y))
            y += each.height + GAP
    return page


if __name__ == "__main__":
    main()
