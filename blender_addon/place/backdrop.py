# SPDX-License-Identifier: GPL-3.0-or-later
"""The backdrop: a plane that fills the camera's frame with a generated picture, behind everything.

- It is a child of its camera, so it keeps filling the frame while the camera moves; what else changes the frame or the
  colours is followed by `follow`, which fits it anew.
- The picture lies on the frame exactly. The plane goes on a little beyond it, repeating the outermost pixels:
  renderers look past the edge of the frame to filter it, and would mix in the world behind.
- Only the camera sees it: it gives no light, throws no shadow, shows in no reflection.
- It stands just before the camera's clip end, so whatever the camera can see is in front of it; in a world of fog right
  behind the furthest thing that shows, for kilometres of fog would swallow it.
- There is one for each camera, in the collection "Spade Backdrops", which the label pass leaves out. Only that of the
  active camera shows: another camera's would stand in its picture; and not even that one where the picture is
  projected, and its sky is in the world.
"""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from mathutils import Matrix, Vector

from ..properties import settings
from ..scene.borrow import set_if_known
from ..scene.projected import shows_sky
from ..scene.view import FLAT, camera_data, camera_frame, flat_camera_of
from ..scene.visible import BACKDROP_MARK, is_backdrop
from .colors import find_colors
from .material import image_of, match_colors, show_image

COLLECTION_NAME = "Spade Backdrops"

# Of the way to the clip end: inside it with room for rounding, and hardly anything fits behind.
_DEPTH = 0.999
# A view's depth buffer counts 2**24 steps, most of them close to the camera. Fewer than these before its end
# a plane is as far as nothing at all, and not drawn; it moves closer for that, but not further than to here.
_DEPTH_STEPS = 4 / 2**24
_CLOSEST = 0.9
# How many pixels the plane goes on beyond the frame: what the widest filter of Cycles reaches. More would be seen
# around the frame in views, as streaks.
_MARGIN_PIXELS = 6
# The same as a part of the frame's shorter side: views have pixels of their own, and the smallest renders hardly any.
_LEAST_MARGIN, _MOST_MARGIN = 0.005, 0.05
# How far behind the furthest thing it stands in fog, and behind the camera's clip start where there is nothing.
_BEHIND = 1.02
# Smaller changes than this are rounding: writing them would make Blender update the scene for ever.
_SAME = 1e-6


def place_backdrop(
    scene: bpy.types.Scene, image: bpy.types.Image, camera: bpy.types.Object | None = None
) -> bpy.types.Object:
    """Show a generated picture behind the scene, on the backdrop of a camera, the active one if none is given.

    Makes the backdrop if there is none. A picture that was there stays in the file. Raises NoCameraError without a
    camera that has a flat frame.
    """
    camera = camera or flat_camera_of(scene)
    backdrop = backdrop_of(scene, camera)
    if backdrop is None:
        backdrop = new_plane(scene, f"Backdrop {camera.name}")
        backdrop.parent = camera
    find_colors(scene)
    show_image(backdrop, image, scene)
    fit_backdrop(scene)
    return backdrop


def fit_backdrop(scene: bpy.types.Scene, camera: bpy.types.Object | None = None) -> None:
    """Bring every camera's backdrop in line with lens, aspect, clip end and colours of now, and show that of `camera`.

    camera: the one that is looked through, the scene's active one if none is given. What is in line is not written.
    """
    camera = camera or scene.camera
    for backdrop in backdrops(scene):
        own = backdrop.parent
        if own is None or not isinstance(own.data, bpy.types.Camera) or own.data.type not in FLAT:
            continue
        distance = _distance(scene, own)
        frame = camera_frame(scene, distance, own)
        center = ((frame.left + frame.right) / 2, (frame.bottom + frame.top) / 2, -distance)
        _set_matrix(backdrop, "matrix_parent_inverse", _without_scale(own))
        basis = Matrix.LocRotScale(center, None, (frame.width, frame.height, 1.0))
        _set_matrix(backdrop, "matrix_basis", basis)
        _set_margin(backdrop, scene)
        match_colors(backdrop, scene)
        hidden = own != camera or settings(scene).show == "BLOCKS" or shows_sky(scene, own)
        for flag in ("hide_render", "hide_viewport"):
            if getattr(backdrop, flag) != hidden:
                setattr(backdrop, flag, hidden)


def backdrop_of(scene: bpy.types.Scene, camera: bpy.types.Object) -> bpy.types.Object | None:
    """The camera's backdrop in this scene."""
    return next((thing for thing in backdrops(scene) if thing.parent == camera), None)


def backdrops(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """The backdrops of the scene's cameras."""
    return [thing for thing in scene.objects if is_backdrop(thing)]


def picture_of(scene: bpy.types.Scene, camera: bpy.types.Object) -> bpy.types.Image | None:
    """The picture on a camera's backdrop."""
    backdrop = backdrop_of(scene, camera)
    return image_of(backdrop) if backdrop else None


def remove_backdrop(backdrop: bpy.types.Object) -> None:
    """Take a backdrop out of the file, with what only it uses; its picture stays."""
    mesh, material = backdrop.data, backdrop.active_material
    bpy.data.objects.remove(backdrop)
    if isinstance(mesh, bpy.types.Mesh) and not mesh.users:
        bpy.data.meshes.remove(mesh)
    if material is not None and not material.users:
        bpy.data.materials.remove(material)


def has_world_fog(scene: bpy.types.Scene) -> bool:
    """Whether the scene's world has a volume, which everything is seen through."""
    tree = scene.world.node_tree if scene.world else None
    outputs = [node for node in tree.nodes if node.type == "OUTPUT_WORLD"] if tree else []
    return any(node.inputs["Volume"].is_linked for node in outputs)


def _distance(scene: bpy.types.Scene, camera: bpy.types.Object) -> float:
    """How far behind everything the plane stands, where viewports still draw it."""
    lens = camera_data(camera)
    end = lens.clip_end
    if has_world_fog(scene):
        nearest = lens.clip_start * 2 if lens.type == "PERSP" else end / 1e4
        return min(end * _DEPTH, max(nearest, _furthest(scene, camera) * _BEHIND))
    if lens.type == "ORTHO":
        return end * _DEPTH
    drawn = 1.0 / (1.0 / end + _DEPTH_STEPS / lens.clip_start)
    return max(end * _CLOSEST, min(end * _DEPTH, drawn))


def _furthest(scene: bpy.types.Scene, camera: bpy.types.Object) -> float:
    """How far before the camera the scene's shown things reach, by their bounding boxes."""
    inverse = camera.matrix_world.inverted_safe()
    found = 0.0
    for thing in scene.objects:
        if not thing.hide_render and not is_backdrop(thing) and thing.type not in ("CAMERA", "LIGHT"):
            to_camera = inverse @ thing.matrix_world
            found = max(found, *(-(to_camera @ Vector(corner)).z for corner in thing.bound_box))
    return found


def _set_matrix(thing: bpy.types.Object, name: str, wanted: Matrix) -> None:
    now, then = np.array(getattr(thing, name)), np.array(wanted)
    if np.abs(now - then).max() > _SAME * max(1.0, np.abs(then).max()):
        setattr(thing, name, wanted)


def new_plane(scene: bpy.types.Scene, name: str) -> bpy.types.Object:
    """A square of side 1 that a picture comes on: the camera alone sees it, and the label pass does not."""
    plane = bpy.data.objects.new(name, _plane(name))
    plane[BACKDROP_MARK] = True
    _collection(scene).objects.link(plane)
    # A click on the sky is not meant for it; the outliner still selects it.
    plane.hide_select = True
    set_if_known(
        plane,
        visible_camera=True,
        visible_diffuse=False,
        visible_glossy=False,
        visible_transmission=False,
        visible_volume_scatter=False,
        visible_shadow=False,
        hide_probe_volume=True,
        hide_probe_sphere=True,
        hide_probe_plane=True,
    )
    return plane


def _collection(scene: bpy.types.Scene) -> bpy.types.Collection:
    """The scene's own collection for backdrops, found by its mark: users may rename and move it."""
    for collection in scene.collection.children_recursive:
        if is_backdrop(collection):
            return collection
    collection = bpy.data.collections.new(COLLECTION_NAME)
    collection[BACKDROP_MARK] = True
    scene.collection.children.link(collection)
    return collection


def _plane(name: str) -> bpy.types.Mesh:
    """A square of side 1; the texture runs from 0 to 1 over it."""
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata([(x - 0.5, y - 0.5, 0.0) for x, y in _corners(0.0)], [], [(0, 1, 2, 3)])
    mesh.uv_layers.new(name="Frame")
    return mesh


def _set_margin(backdrop: bpy.types.Object, scene: bpy.types.Scene) -> None:
    """Let the plane go on beyond the square by as much as the size of the scene's renders asks for."""
    mesh, render = backdrop.data, scene.render
    if not isinstance(mesh, bpy.types.Mesh) or len(mesh.vertices) != 4 or not mesh.is_editable:
        return  # users have made something else of it
    layer = mesh.uv_layers.get("Frame")
    uvs: Any = None if layer is None else layer.uv  # unknown to Blender's type stubs
    if uvs is None or len(uvs) != 4:
        return
    shorter = min(render.resolution_x, render.resolution_y) * render.resolution_percentage / 100
    corners = _corners(min(max(_MARGIN_PIXELS / shorter, _LEAST_MARGIN), _MOST_MARGIN))
    if np.abs(np.array([uv.vector for uv in uvs]) - corners).max() < _SAME:
        return
    for vertex, uv, (x, y) in zip(mesh.vertices, uvs, corners, strict=True):
        vertex.co, uv.vector = (x - 0.5, y - 0.5, 0.0), (x, y)
    mesh.update()


def _corners(margin: float) -> list[tuple[float, float]]:
    low, high = -margin, 1.0 + margin
    return [(low, low), (high, low), (high, high), (low, high)]


def _without_scale(camera: bpy.types.Object) -> Matrix:
    """What undoes a camera's scale for its children: cameras see as if they had none."""
    lengths = [column.length or 1.0 for column in camera.matrix_world.to_3x3().transposed()]
    return Matrix.Diagonal((*(1.0 / length for length in lengths), 1.0))
