# SPDX-License-Identifier: Apache-2.0
"""The add-on's guide's pictures of a panorama and a tile: the example valley, painted all around and walked in, and a
meadow.

python -m examples.surroundings
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import tyro
from PIL import Image

from build_steps.staging import stage_for_import
from examples.demo import ROOT, SEED, SERVER

STYLE = "clear-noon"
STEP_M = 5.0
_GAP = 8


@dataclass(frozen=True)
class Options:
    """Paint the valley's panorama, and a tile of grass, and look at both."""

    output: Path = ROOT / "docs" / "pictures"
    """folder of addon_panorama.jpg, addon_panorama_blocks.jpg and addon_tile.jpg"""
    width: int = 1024
    """of the panorama"""


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    stage_for_import()
    import bpy  # noqa: F401  before the rest: it brings bmesh and mathutils along
    from spade_backdrops.example.valley import build_valley
    from spade_backdrops.place.panorama_world import panorama_of
    from spade_backdrops.place.placement import remove_placement
    from spade_backdrops.place.tile_material import tile_of
    from spade_backdrops.scene.label_rules import auto_assign

    from . import demo_scene

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        scene = demo_scene.empty_scene()
        build_valley(scene)
        auto_assign(scene)
        spade = scene.spade  # pyright: ignore[reportAttributeAccessIssue]
        spade.seed = SEED
        demo_scene.open_server(SERVER, folder / "server")
        spade.style_source, spade.style_name = "NAMED", STYLE
        spade.placement, spade.width, spade.height = "PANORAMA", options.width, options.width // 2
        demo_scene.generate(lambda *_: None)
        around = panorama_of(scene)
        _saved(around, folder / "around.png")
        _walked(scene, folder).save(options.output / "addon_panorama_blocks.jpg", quality=84)
        demo_scene.add_balloon(scene)
        demo_scene.render(scene, folder / "view.png", samples=32)
        _beside(folder / "around.png", folder / "view.png").save(
            options.output / "addon_panorama.jpg", quality=84
        )
        assert scene.camera is not None
        remove_placement(scene, scene.camera)
        spade.placement, spade.width, spade.height = "TILE", 512, 512
        spade.tile_width = 8.0
        demo_scene.generate(lambda *_: None)
        _saved(tile_of(scene), folder / "tile.png")
        _meadow(scene, spade.tile_material)
        demo_scene.render(scene, folder / "meadow.png", samples=32)
        _beside(folder / "tile.png", folder / "meadow.png").save(
            options.output / "addon_tile.jpg", quality=84
        )
        demo_scene.leave()


def _walked(scene, folder: Path) -> Image.Image:
    """From the panorama's place, then some steps aside: on the blocks, and with the world alone."""
    import bpy

    from . import demo_scene

    files = [folder / f"walked_{number}.png" for number in range(3)]
    bpy.ops.spade.panorama_on_blocks()  # pyright: ignore[reportAttributeAccessIssue]
    demo_scene.render(scene, files[0], samples=8)
    scene.camera.location.x += STEP_M
    bpy.context.view_layer.update()
    demo_scene.render(scene, files[1], samples=8)
    bpy.ops.spade.panorama_on_blocks(on=False)  # pyright: ignore[reportAttributeAccessIssue]
    demo_scene.render(scene, files[2], samples=8)
    scene.camera.location.x -= STEP_M
    bpy.context.view_layer.update()
    return _beside(*files, height=260)


def _saved(image, path: Path) -> None:
    path.write_bytes(bytes(image.packed_file.data))


def _meadow(scene, material) -> None:
    """Nothing but a ground and a ball with the material, in daylight."""
    import bpy

    for thing in list(scene.objects):
        if thing.type not in ("CAMERA", "LIGHT"):
            thing.hide_render = True
    bpy.ops.mesh.primitive_plane_add(size=200)
    ground = bpy.context.object
    assert ground is not None and isinstance(ground.data, bpy.types.Mesh)
    ground.location.z = scene.camera.matrix_world.translation.z - 3
    ground.data.materials.append(material)
    scene.camera.rotation_euler.x = 1.35


def _beside(*paths: Path, height: int = 320) -> Image.Image:
    """Pictures of one height, white between them."""
    pictures = []
    for path in paths:
        with Image.open(path) as opened:
            shown = opened.convert("RGB")
        width = round(shown.width * height / shown.height)
        pictures.append(shown.resize((width, height), Image.Resampling.LANCZOS))
    sheet = Image.new("RGB", (sum(each.width + _GAP for each in pictures) - _GAP, height), "white")
    left = 0
    for each in pictures:
        sheet.paste(each, (left, 0))
        left += each.width + _GAP
    return sheet


if __name__ == "__main__":
    main()
