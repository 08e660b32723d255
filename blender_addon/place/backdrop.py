# SPDX-License-Identifier: GPL-3.0-or-later
"""The backdrop: a plane that fills the camera's frame with a generated picture, behind everything.

- It is a child of its camera, so it keeps filling the frame while the camera moves. Where lens, sensor, shift, aspect
  or clip end change it stays where it is, like a painted wall: zooming in crops it together with the scene, zooming
  out shows its edge. Placing a picture again (`fit_backdrop` alone does it, too) fits it to the camera as it is then.
- The picture lies on the frame exactly. The plane goes on a little beyond it, repeating the outermost pixels:
  renderers look past the edge of the frame to filter it, and would mix in the world behind.
- Only the camera sees it: it gives no light, throws no shadow, shows in no reflection.
- It stands just before the camera's clip end, so whatever the camera can see is in front of it.
- There is one for each camera, in the collection "Spade Backdrops", which the label pass leaves out. Only that of the
  active camera shows: another camera's would stand in its picture.
"""

from __future__ import annotations

import bpy
from mathutils import Matrix

from ..scene.borrow import set_if_known
from ..scene.view import camera_data, camera_frame, flat_camera_of
from ..scene.visible import BACKDROP_MARK, is_backdrop
from .material import match_colors, show_image

COLLECTION_NAME = "Spade Backdrops"

# Of the way to the clip end: inside it with room for rounding, and hardly anything fits behind.
_DEPTH = 0.999
# A view's depth buffer counts 2**24 steps, most of them close to the camera. Fewer than these before its end
# a plane is as far as nothing at all, and not drawn; it moves closer for that, but not further than to here.
_DEPTH_STEPS = 4 / 2**24
_CLOSEST = 0.9
# How far the plane goes on beyond the frame, as a part of the frame's width and height.
_MARGIN = 0.05


def place_backdrop(scene: bpy.types.Scene, image: bpy.types.Image) -> bpy.types.Object:
    """Show a generated picture behind the scene, on the active camera's backdrop; makes it if there is none.

    A picture that was there stays in the file. Raises NoCameraError without a camera that has a flat frame.
    """
    camera = flat_camera_of(scene)
    backdrop = backdrop_of(scene, camera) or _new_backdrop(scene, camera)
    show_image(backdrop, image, scene)
    fit_backdrop(scene)
    for thing in _backdrops(scene):
        thing.hide_render = thing.hide_viewport = thing != backdrop
    return backdrop


def fit_backdrop(scene: bpy.types.Scene) -> None:
    """Bring the active camera's backdrop in line with lens, aspect, clip end and view transform of now.

    Does nothing where there is none. Raises NoCameraError without a camera that has a flat frame.
    """
    camera = flat_camera_of(scene)
    backdrop = backdrop_of(scene, camera)
    if backdrop is None:
        return
    distance = _distance(camera_data(camera))
    frame = camera_frame(scene, distance)
    backdrop.matrix_parent_inverse = _without_scale(camera)
    center = ((frame.left + frame.right) / 2, (frame.bottom + frame.top) / 2, -distance)
    backdrop.matrix_basis = Matrix.LocRotScale(center, None, (frame.width, frame.height, 1.0))
    match_colors(backdrop, scene)


def _distance(lens: bpy.types.Camera) -> float:
    """How far behind everything the plane stands, where viewports still draw it."""
    end = lens.clip_end
    if lens.type == "ORTHO":
        return end * _DEPTH
    drawn = 1.0 / (1.0 / end + _DEPTH_STEPS / lens.clip_start)
    return max(end * _CLOSEST, min(end * _DEPTH, drawn))


def backdrop_of(scene: bpy.types.Scene, camera: bpy.types.Object) -> bpy.types.Object | None:
    """The camera's backdrop in this scene."""
    return next((thing for thing in _backdrops(scene) if thing.parent == camera), None)


def _backdrops(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    return [thing for thing in scene.objects if is_backdrop(thing)]


def _new_backdrop(scene: bpy.types.Scene, camera: bpy.types.Object) -> bpy.types.Object:
    name = f"Backdrop {camera.name}"
    backdrop = bpy.data.objects.new(name, _plane(name))
    backdrop[BACKDROP_MARK] = True
    backdrop.parent = camera
    _collection(scene).objects.link(backdrop)
    # A click on the sky is not meant for it; the outliner still selects it.
    backdrop.hide_select = True
    set_if_known(
        backdrop,
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
    return backdrop


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
    """A square of side 1 and its margin; the texture runs from 0 to 1 over the square itself."""
    low, high = -_MARGIN, 1.0 + _MARGIN
    corners = ((low, low), (high, low), (high, high), (low, high))
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata([(x - 0.5, y - 0.5, 0.0) for x, y in corners], [], [(0, 1, 2, 3)])
    layer = mesh.uv_layers.new(name="Frame")
    for corner, place in zip(layer.uv, corners, strict=True):
        corner.vector = place
    return mesh


def _without_scale(camera: bpy.types.Object) -> Matrix:
    """What undoes a camera's scale for its children: cameras see as if they had none."""
    lengths = [column.length or 1.0 for column in camera.matrix_world.to_3x3().transposed()]
    return Matrix.Diagonal((*(1.0 / length for length in lengths), 1.0))
