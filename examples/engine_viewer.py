# SPDX-License-Identifier: GPL-3.0-or-later
"""What `python -m examples.engine` looks at its files with: plain Blender, as any program would have it. By hand:
`python -m examples.engine_viewer FOLDER`.

The panorama's light is the world, the tile is the ground, the rock stands on it beside a ball of chrome. Writes
seen.png, and the faces of the cube as pictures.
"""

# Sockets of nodes are unknown to the stubs.
# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false
from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import bpy

SIZE = (640, 360)
TILE_M = 2.0


def main(folder: Path) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene: Any = bpy.context.scene
    scene.view_settings.view_transform = "AgX"
    light_by(scene, folder / "world.hdr")
    lay_ground(folder)
    stand_rock(folder / "rock.glb")
    add_chrome()
    look_from(scene)
    scene.render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", 24, True
    scene.render.resolution_x, scene.render.resolution_y = SIZE
    scene.render.image_settings.file_format, scene.render.filepath = "PNG", str(folder / "seen.png")
    bpy.ops.render.render(write_still=True)
    for face in folder.glob("world_*.hdr"):
        bpy.data.images.load(str(face)).save_render(str(face.with_suffix(".png")), scene=scene)


def light_by(scene: Any, path: Path) -> None:
    """The file as the world, as it is."""
    world = scene.world = bpy.data.worlds.new("World")
    world.use_nodes = True
    tree: Any = world.node_tree
    texture = tree.nodes.new("ShaderNodeTexEnvironment")
    texture.image = bpy.data.images.load(str(path))
    tree.links.new(texture.outputs["Color"], tree.nodes["Background"].inputs["Color"])


def lay_ground(folder: Path) -> None:
    """A plane with the tile's three pictures, repeated every TILE_M."""
    bpy.ops.mesh.primitive_plane_add(size=200)
    thing: Any = bpy.context.object
    for corner in thing.data.uv_layers[0].uv:
        corner.vector = corner.vector * (200 / TILE_M)
    tree, shader = new_material(thing, "Ground")
    for kind, socket in (("albedo", "Base Color"), ("roughness", "Roughness"), ("normal", "")):
        image: Any = bpy.data.images.load(f"{folder}/ground_{kind}.png")
        if kind != "albedo":
            image.colorspace_settings.is_data = True
        texture = tree.nodes.new("ShaderNodeTexImage")
        texture.image = image
        if socket:
            tree.links.new(texture.outputs["Color"], shader.inputs[socket])
            continue
        bump = tree.nodes.new("ShaderNodeNormalMap")
        tree.links.new(texture.outputs["Color"], bump.inputs["Color"])
        tree.links.new(bump.outputs["Normal"], shader.inputs["Normal"])


def stand_rock(path: Path) -> None:
    """The rock, 2.4 m wide, on the ground."""
    bpy.ops.preferences.addon_enable(module="io_scene_gltf2")
    bpy.ops.import_scene.gltf(filepath=str(path))
    rock: Any = next(thing for thing in bpy.context.scene.objects if thing.name.startswith("Rock"))
    rock.scale *= 2.4 / max(rock.dimensions)
    bpy.context.view_layer.update()
    rock.location = (-1.3, 0.6, rock.dimensions.z * 0.38)
    rock.rotation_mode = "XYZ"


def add_chrome() -> None:
    bpy.ops.mesh.primitive_uv_sphere_add(segments=96, ring_count=48, radius=0.9, location=(1.5, 0, 0.9))
    ball: Any = bpy.context.object
    ball.data.shade_smooth()
    _, shader = new_material(ball, "Chrome")
    shader.inputs["Metallic"].default_value, shader.inputs["Roughness"].default_value = 1.0, 0.03


def new_material(thing: Any, name: str) -> tuple[Any, Any]:
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    thing.data.materials.append(material)
    tree: Any = material.node_tree
    return tree, tree.nodes["Principled BSDF"]


def look_from(scene: Any) -> None:
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    assert isinstance(camera.data, bpy.types.Camera)
    camera.location, camera.rotation_euler = (0.0, -4.6, 1.5), (math.radians(86), 0, 0)
    camera.data.lens = 24.0
    scene.collection.objects.link(camera)
    scene.camera = camera


if __name__ == "__main__":
    main(Path(sys.argv[-1]))
