# SPDX-License-Identifier: GPL-3.0-or-later
"""A second grey-box scene for the gallery: a lake before wooded shores and snowy mountains.

python -m examples.lake_scene

builds it in Blender, labels it by its names, and stores the exact label map in examples/lake_labels.png.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from PIL import Image

from build_steps.staging import stage_for_import

stage_for_import()

import bpy  # noqa: E402  before the rest: it brings bmesh and mathutils along
import spade_backdrops  # noqa: E402
from bmesh.types import BMesh  # noqa: E402
from mathutils import Matrix  # noqa: E402
from spade_backdrops.example import blocks, terrain  # noqa: E402
from spade_backdrops.scene.label_pass import render_label_map  # noqa: E402
from spade_backdrops.scene.label_rules import auto_assign, scene_label_set  # noqa: E402

SIZE = (1024, 576)
STORED = Path(__file__).with_name("lake_labels.png")
CLOUDS = ((-900.0, 2500.0, 560.0, 620.0), (640.0, 2700.0, 760.0, 480.0))
ROCKS = ((-8.5, 14.0, 1.3), (-6.6, 16.0, 0.7), (10.5, 22.0, 1.0), (-30.0, 72.0, 2.4))
HUT = (44.0, 112.0)
TREES = 520
# From x to x, from y to y, height, seed of its shape, height of the snow line: as `terrain.ridge` takes them.
MOUNTAINS = (
    ("Mountain far", (-1600.0, 1600.0), (1300.0, 2000.0), 470.0, 21, 260.0),
    ("Mountain left", (-1100.0, -120.0), (560.0, 1000.0), 250.0, 33, 190.0),
    ("Mountain right", (140.0, 1150.0), (620.0, 1100.0), 220.0, 6, 180.0),
)


def land_height(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A basin, 0 the water: shores far off and to both sides, a low bank under the camera."""
    wobble = 14.0 * terrain.noise(x, y, 60.0, 4, 3)
    far = y - 125.0 - 0.0011 * (x - 15.0) ** 2 + wobble
    sides = np.abs(x - 4.0) - 40.0 - 0.32 * np.maximum(y, 0.0) + wobble
    near = 9.0 - y + 0.35 * wobble - 0.2 * np.abs(x + 12.0)
    beyond = np.maximum(np.maximum(far, sides), near)
    return np.where(
        beyond < 0.0, np.maximum(beyond, -3.0) * 0.5, 3.0 * np.tanh(beyond / 25.0) + 0.10 * beyond
    )


def build_lake(scene: bpy.types.Scene) -> None:
    """Add land, lake, mountains, a wood, rocks, a hut, clouds and a camera to an empty scene."""
    random = np.random.default_rng(5)
    along = np.geomspace(12.0, 720.0, 170) - 16.0
    y = np.repeat(along[:, None], 181, axis=1)
    x = np.linspace(-1.0, 1.0, 181)[None, :] * (30.0 + 1.1 * np.maximum(y, 0.0))
    add(scene, terrain.grid_mesh("Grass shore", x, y, land_height(x, y)))
    x, y = np.meshgrid(np.array([-700.0, 700.0]), np.array([-20.0, 620.0]))
    add(scene, terrain.grid_mesh("Lake", x, y, 0.0 * x))
    for name, span, depth, height, seed, snow_line in MOUNTAINS:
        mesh = terrain.ridge(name, span, depth, height, seed, snow_line)
        for material in ("Mountain", "Snow"):
            mesh.materials.append(bpy.data.materials.get(material) or bpy.data.materials.new(material))
        add(scene, mesh)
    plant_wood(scene, random)
    for x, y, size in ROCKS:
        block(scene, "Rock", blocks.boulder(size, random), Matrix.Translation((x, y, 0.2 * size)))
    ground = Matrix.Translation((*HUT, float(land_height(*map(np.array, HUT)))))
    for part in blocks.house():
        block(scene, "Hut", part, ground @ Matrix.Scale(1.4, 4))
    for *place, width in CLOUDS:
        block(scene, "Cloud", blocks.cloud(width, random), Matrix.Translation(place))
    lens = bpy.data.cameras.new("Camera")
    lens.lens, lens.clip_end = 28.0, 5000.0
    camera = bpy.data.objects.new("Camera", lens)
    camera.location, camera.rotation_euler = (0.0, -8.0, 6.0), (math.radians(88.5), 0.0, 0.0)
    scene.collection.objects.link(camera)
    scene.camera = camera


def plant_wood(scene: bpy.types.Scene, random: np.random.Generator) -> None:
    """Trees wherever there is land, but not on the hut."""
    standing = 0
    while standing < TREES:
        y = 40.0 * math.exp(float(random.uniform(0.0, 1.9)))
        x = float(random.uniform(-1.0, 1.0)) * (30.0 + 0.8 * y)
        height = float(land_height(np.array(x), np.array(y)))
        if height > 0.4 and math.dist((x, y), HUT) > 14.0:
            size = float(random.uniform(0.8, 1.7))
            place = Matrix.Translation((x, y, height - 0.3)) @ Matrix.Diagonal((size, size, size, 1.0))
            for part in blocks.pine() if random.random() < 0.75 else blocks.broadleaf():
                block(scene, "Pine", part, place)
            standing += 1


def block(scene: bpy.types.Scene, name: str, shape: BMesh, place: Matrix) -> None:
    shape.transform(place)
    mesh = bpy.data.meshes.new(name)
    shape.to_mesh(mesh)
    shape.free()
    add(scene, mesh)


def add(scene: bpy.types.Scene, mesh: bpy.types.Mesh) -> None:
    """An object of the mesh's name: what the label goes by."""
    scene.collection.objects.link(bpy.data.objects.new(mesh.name, mesh))


def main() -> None:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    spade_backdrops.register()
    try:
        scene = bpy.context.scene
        assert scene is not None
        build_lake(scene)
        auto_assign(scene)
        ids = Image.fromarray(render_label_map(scene, (SIZE[1], SIZE[0])).label_map.astype(np.uint8))
        palette = np.zeros((256, 3), np.uint8)
        for entry in scene_label_set(scene).classes:
            palette[entry.id] = entry.rgb
        ids.putpalette(palette.tobytes())  # an L image becomes a P image: the values stay the ids
        ids.save(STORED)
    finally:
        spade_backdrops.unregister()  # Blender 4.5 hangs at exit otherwise


if __name__ == "__main__":
    main()
