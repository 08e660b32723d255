# SPDX-License-Identifier: GPL-3.0-or-later
"""A labelled court, seen by a tilted camera, and pictures on it: small enough to be rendered often."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Vector
from spade_backdrops.place.backdrop import backdrops
from spade_backdrops.place.image import store_image
from spade_backdrops.place.placement import place
from spade_backdrops.place.projection.group import PICTURE
from spade_backdrops.place.show import show_landed
from spade_backdrops.properties import settings

HEIGHT, WIDTH = 128, 192


def build(scene: bpy.types.Scene) -> bpy.types.Object:
    """Ground that goes on behind the camera, a wall, a box, a rounded one, and one box twice as instances."""
    _labelled("grass", bpy.ops.mesh.primitive_plane_add, size=40)
    _labelled(
        "building", bpy.ops.mesh.primitive_plane_add, size=8, location=(3, 9, 3), rotation=(1.57, 0, 0.3)
    )
    box = _labelled("rock", bpy.ops.mesh.primitive_cube_add, size=2, location=(-2, 4, 1))
    box.data.materials.append(material("Stone"))
    bush = _labelled("tree", bpy.ops.mesh.primitive_cube_add, size=2, location=(1, 2, 1))
    bush.modifiers.new("Round", "SUBSURF").render_levels = 2
    sources = bpy.data.collections.new("Sources")
    sources.objects.link(bpy.data.objects.new("Part", box.data.copy()))
    for number, x in enumerate((-5, 5)):
        instance = bpy.data.objects.new("Instance", None)
        instance.instance_type, instance.instance_collection = "COLLECTION", sources
        instance.location, instance.scale = (x, 6, 1), (1, 1, 1.5 + number)
        instance["spade_label"] = "bush"
        scene.collection.objects.link(instance)
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    scene.collection.objects.link(camera)
    scene.camera = camera
    camera.location, camera.rotation_euler, camera.data.lens = (0, -8, 3), (1.45, 0.1, 0.05), 28
    settings(scene).width, settings(scene).height = WIDTH, HEIGHT
    settings(scene).match_camera = False
    render_exactly(scene)
    bpy.context.view_layer.update()
    return camera


def material(name: str, color: tuple[float, ...] = (0.2, 0.3, 0.4, 1.0)) -> bpy.types.Material:
    made = bpy.data.materials.new(name)
    if made.node_tree is None:
        made.use_nodes = True
    made.node_tree.nodes["Principled BSDF"].inputs["Base Color"].default_value = color
    return made


def noise(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def project(
    scene: bpy.types.Scene, rgb: np.ndarray, camera=None, interpolation: str = "Closest"
) -> bpy.types.Image:
    """Lay a picture on the court as the camera sees it now, and leave its sky out."""
    settings(scene).placement = "PROJECTION"
    picture = store_image(rgb, "Picture", scene, {"seed": 1})
    place(scene, picture, camera)
    show_landed(scene)
    for entry in settings(scene).projections:
        entry.group.nodes[PICTURE].interpolation = interpolation
    for backdrop in backdrops(scene):
        backdrop.hide_render = True
    return picture


def rendered(scene: bpy.types.Scene, folder) -> np.ndarray:
    """(H, W, 3) of 0..255, row 0 at the top."""
    scene.render.filepath = str(folder / "court.png")
    scene.render.image_settings.file_format = "PNG"
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(scene.render.filepath)
    image.colorspace_settings.name = "Non-Color"
    width, height = image.size
    pixels = np.array(image.pixels[:]).reshape(height, width, 4)[::-1, :, :3]
    bpy.data.images.remove(image)
    return np.rint(pixels * 255).astype(int)


def _labelled(class_name: str, add, **where) -> bpy.types.Object:
    add(**where)
    bpy.context.object["spade_label"] = class_name
    return bpy.context.object


def render_exactly(scene: bpy.types.Scene, size: tuple[int, int] = (WIDTH, HEIGHT)) -> None:
    """One ray a pixel, through its centre, and no view transform: what a surface shows is what is stored."""
    scene.render.engine, scene.view_settings.view_transform = "CYCLES", "Standard"
    scene.render.resolution_x, scene.render.resolution_y = size
    scene.render.dither_intensity = 0
    cycles = scene.cycles
    cycles.samples, cycles.pixel_filter_type, cycles.filter_width = 1, "BOX", 0.01
    cycles.use_denoising = cycles.use_adaptive_sampling = False


def render_exactly_with_eevee(scene: bpy.types.Scene) -> None:
    """The same by EEVEE."""
    scene.render.engine = "BLENDER_EEVEE" if bpy.app.version >= (5, 0) else "BLENDER_EEVEE_NEXT"
    scene.eevee.taa_render_samples, scene.render.filter_size = 1, 0.01


def points(projector, depth: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(N, 3) points of the world at the centres of the pixels that show surfaces, and their rows and columns."""
    rows, columns = np.nonzero(depth < 1e9)
    height, width = depth.shape
    ahead = depth[rows, columns].astype(np.float64)
    places = np.stack([(columns + 0.5) / width, 1 - (rows + 0.5) / height], axis=1)
    across = (places - projector.center) / projector.scale
    if not projector.is_flat:
        across *= ahead[:, None]
    own = np.concatenate([across, -ahead[:, None]], axis=1)
    turn = np.array(projector.rows)
    return (own - turn[:, 3]) @ turn[:, :3], rows, columns


def are_reached(eye: np.ndarray, points: np.ndarray) -> list[bool]:
    """Whether a ray from a place gets to each point."""
    graph, begin = bpy.context.evaluated_depsgraph_get(), Vector(eye)
    ways = [Vector(point) - begin for point in points]
    cast = bpy.context.scene.ray_cast
    return [not cast(graph, begin, way.normalized(), distance=way.length * 0.999 - 0.01)[0] for way in ways]
