# SPDX-License-Identifier: Apache-2.0
"""The add-on's guide's picture of Export for Engine: a panorama's light, a tile and a baked rock, exported, and put
together in a Blender that knows nothing of the add-on.

python -m examples.engine
"""

# What add-ons hang on Scene and on operators is unknown to the stubs.
# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import tyro
from PIL import Image

from build_steps.staging import stage_for_import
from examples.demo import ROOT, SEED, SERVER

ROCK, GROUND, STYLE = "Rock 3", "sand", "clear-noon"
HEIGHT, GAP = 360, 6
ACROSS = ("px", "nz", "nx", "pz")
"""The faces of the cube that meet at their sides, from left to right."""


@dataclass(frozen=True)
class Options:
    """Paint, export, and look at the files."""

    output: Path = ROOT / "docs" / "pictures" / "addon_engine.jpg"
    width: int = 768
    """of the panorama"""


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    stage_for_import()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        export(folder, options.width)
        viewer = Path(__file__).with_name("engine_viewer.py")
        subprocess.run([sys.executable, str(viewer), str(folder)], check=True)
        sheet(folder).save(options.output, quality=86, optimize=True)


def export(folder: Path, width: int) -> None:
    """Write world*.hdr, ground_*.png and rock.glb into a folder."""
    import bpy  # before the rest: it brings bmesh and mathutils along
    from spade_backdrops.example.valley import build_valley
    from spade_backdrops.scene.label_rules import auto_assign

    from . import demo_scene

    scene = demo_scene.empty_scene()
    build_valley(scene)
    auto_assign(scene)
    spade = scene.spade
    demo_scene.open_server(SERVER, folder / "server")
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "valley.blend"))
    spade.seed, spade.style_source, spade.style_name = SEED, "NAMED", STYLE
    spade.placement, spade.width, spade.height = "PROJECTION", 1024, 576
    bpy.ops.spade.generate()
    for thing in bpy.context.view_layer.objects:
        thing.select_set(thing.name == ROCK)
    bpy.ops.spade.bake(size="1024", new_uv_map=True)
    bpy.ops.spade.export_baked(filepath=str(folder / "rock.glb"))
    spade.placement, spade.width, spade.height = "PANORAMA", width, width // 2
    bpy.ops.spade.generate()
    bpy.ops.spade.export_panorama(filepath=str(folder / "world.hdr"))
    spade.placement, spade.width, spade.height = "TILE", 512, 512
    spade.tile_class = GROUND
    bpy.ops.spade.generate()
    bpy.ops.spade.export_tile(filepath=str(folder / "ground.png"))
    demo_scene.leave()


def sheet(folder: Path) -> Image.Image:
    """The cube's faces and the tile's pictures in two rows, beside them what was made of the files."""
    small = HEIGHT // 2 - GAP // 2
    faces = [opened(folder / f"world_{axis}.png", small) for axis in ACROSS]
    tiles = [opened(folder / f"ground_{kind}.png", small) for kind in ("albedo", "normal", "roughness")]
    seen = opened(folder / "seen.png", HEIGHT)
    left = len(faces) * small + GAP
    page = Image.new("RGB", (left + seen.width, HEIGHT), "white")
    for place, face in enumerate(faces):
        page.paste(face, (place * small, 0))
    for place, tile in enumerate(tiles):
        page.paste(tile, (place * (small + GAP), small + GAP))
    page.paste(seen, (left, 0))
    return page


def opened(path: Path, height: int) -> Image.Image:
    with Image.open(path) as file:
        picture = file.convert("RGB")
    return picture.resize((round(picture.width * height / picture.height), height), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    main()
