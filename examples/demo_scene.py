# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo's part inside Blender: the valley, its pictures, and a balloon to float before the backdrop."""

# What add-ons hang on Scene is unknown to the stubs.
# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import bmesh
import bpy
from mathutils import Matrix

if TYPE_CHECKING:
    from spade_backdrops.bridge.jobs import Job

SIZE = (1024, 576)
STRIPES = ((0.80, 0.09, 0.05), (0.93, 0.90, 0.82))


def empty_scene() -> bpy.types.Scene:
    """A new file with nothing in it, and the add-on registered."""
    import spade_backdrops

    bpy.ops.wm.read_factory_settings(use_empty=True)
    spade_backdrops.register()
    scene = bpy.context.scene
    assert scene is not None
    scene.render.resolution_x, scene.render.resolution_y = SIZE
    return scene


def render(scene: bpy.types.Scene, path: Path, samples: int) -> None:
    """Render the camera's view with Cycles into a PNG file."""
    scene.render.engine = "CYCLES"
    scene.cycles.samples = samples
    scene.cycles.use_denoising = True
    scene.render.image_settings.file_format = "PNG"
    scene.render.image_settings.color_mode = "RGB"
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)


def open_server(server: tuple[str, ...], folder: Path) -> None:
    """Let the add-on start its own server when it is needed; it leaves with this process."""
    from spade_backdrops.bridge.connection import ServerTarget
    from spade_backdrops.bridge.server_process import ServerLaunch
    from spade_backdrops.session import current_session

    config = ServerLaunch(command=server, folder=folder, parent_pid=os.getpid())
    current_session().connection.open(ServerTarget(server=lambda: config))


def generate(report: Callable[[str, float], None]) -> Job:
    """What the panel's Generate does: labels, server, picture, placement. Raises SpadeError."""
    from spade_backdrops import timer
    from spade_backdrops.bridge.jobs import JobState
    from spade_backdrops.scene_job import submit_scene
    from spade_backdrops.session import current_session

    report("label pass", 0.0)
    job = submit_scene(bpy.context)
    while job.error is None and (job.is_live or job.state is JobState.FINISHED):
        timer.step()  # a window's timer does this; Blender as a module has none that fires
        doing = job.stage or current_session().connection.state.value.lower()
        report(doing, job.fraction)
        time.sleep(0.01)
    if job.error is not None:
        raise job.error
    return job


def save(path: Path) -> None:
    """Save the file as a user would find it: the picture is packed inside."""
    path.unlink(missing_ok=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(path), compress=True)


def leave() -> None:
    """Unregister: ends the server, and Blender 4.5 would hang at exit otherwise."""
    import spade_backdrops

    spade_backdrops.unregister()


def add_balloon(scene: bpy.types.Scene) -> None:
    """A striped hot-air balloon in the middle distance: a thing in 3D, for the backdrop to stand behind."""
    collection = bpy.data.collections.new("Balloon")
    scene.collection.children.link(collection)
    camera = scene.camera
    assert camera is not None
    place = camera.matrix_world @ Matrix.Translation((-5.2, 9.5, -52.0))
    place = Matrix.Translation(place.translation[:])
    for name, shape, materials in (
        ("Balloon", _envelope(), [_material(f"Stripe {i + 1}", color) for i, color in enumerate(STRIPES)]),
        ("Balloon basket", _basket(), [_material("Wicker", (0.23, 0.12, 0.05))]),
    ):
        mesh = bpy.data.meshes.new(name)
        shape.to_mesh(mesh)
        shape.free()
        for material in materials:
            mesh.materials.append(material)
        thing = bpy.data.objects.new(name, mesh)
        thing.matrix_world = place
        collection.objects.link(thing)


def _envelope() -> bmesh.types.BMesh:
    """A sphere of 4 m that tapers to its mouth, in 16 gores of two colours."""
    shape = bmesh.new()
    bmesh.ops.create_uvsphere(shape, u_segments=64, v_segments=32, radius=4.0)
    for vertex in shape.verts:
        below = max(0.0, -vertex.co.z / 4.0)
        taper = 1.0 - 0.30 * below * below
        vertex.co.x, vertex.co.y = vertex.co.x * taper, vertex.co.y * taper
        vertex.co.z *= 1.0 + 0.42 * below
        gore = abs(math.sin(8.0 * math.atan2(vertex.co.y, vertex.co.x)))
        vertex.co.x, vertex.co.y = (c * (0.975 + 0.025 * gore) for c in (vertex.co.x, vertex.co.y))
    for face in shape.faces:
        center = face.calc_center_median()
        face.material_index = int((math.atan2(center.y, center.x) / math.tau + 1.0) * 16) % 2
        face.smooth = True
    return shape


def _basket() -> bmesh.types.BMesh:
    shape = bmesh.new()
    bmesh.ops.create_cube(
        shape, size=1.0, matrix=Matrix.Translation((0, 0, -7.6)) @ Matrix.Diagonal((1.1, 1.1, 0.9, 1))
    )
    for x in (-0.5, 0.5):
        for y in (-0.5, 0.5):
            rope = Matrix.Translation((x * 1.1, y * 1.1, -6.3)) @ Matrix.Diagonal((0.05, 0.05, 2.0, 1))
            bmesh.ops.create_cube(shape, size=1.0, matrix=rope)
    return shape


def _material(name: str, color: tuple[float, float, float]) -> bpy.types.Material:
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    assert material.node_tree is not None
    inputs = material.node_tree.nodes["Principled BSDF"].inputs
    inputs["Base Color"].default_value = (*color, 1.0)
    inputs["Roughness"].default_value = 0.6
    return material
