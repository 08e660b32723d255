# SPDX-License-Identifier: GPL-3.0-or-later
"""The camera's frame: what the label map is taken of and what the backdrop fills.

There is one frame: the rectangle of the scene's final render through its camera, border and crop ignored. Its
aspect is (resolution_x * pixel_aspect_x) / (resolution_y * pixel_aspect_y). A label map of any width and
height covers exactly this rectangle, edge to edge: where its own aspect differs, its pixels are not square
(`pixel_aspect_for`), so a backdrop stretched over the frame always lies on what it was painted for.
`label_map_shape` chooses one whose pixels are square to within rounding.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import bpy

from ..contract.errors import NoCameraError
from ..contract.limits import LARGEST_SIDE
from ..properties import settings

FLAT = frozenset({"PERSP", "ORTHO"})
"""The types of cameras whose picture is a flat rectangle."""

# Networks halve the map several times; whole multiples keep every level on the pixel grid.
SIZE_STEP = 32


class Frame(NamedTuple):
    """The camera's rectangle at a distance in front of it, in the camera's own space (x right, y up)."""

    left: float
    right: float
    bottom: float
    top: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.top - self.bottom


def camera_of(scene: bpy.types.Scene) -> bpy.types.Object:
    """The camera the scene renders through. Raises NoCameraError."""
    camera = scene.camera
    if camera is None or not isinstance(camera.data, bpy.types.Camera):
        raise NoCameraError(
            f"The scene '{scene.name}' has no camera to look through.",
            "Add a camera (Add > Camera) and make it active (View > Cameras > Set Active Object as Camera).",
        )
    return camera


def flat_camera_of(scene: bpy.types.Scene) -> bpy.types.Object:
    """The scene's camera if its picture is a flat rectangle that a plane can fill. Raises NoCameraError."""
    camera = camera_of(scene)
    if camera_data(camera).type not in FLAT:
        raise NoCameraError(
            f"The camera '{camera.name}' is panoramic: no flat backdrop can fill its picture.",
            "Set the lens of the camera to Perspective or Orthographic.",
        )
    return camera


def camera_data(camera: bpy.types.Object) -> bpy.types.Camera:
    """The camera data-block of a camera object."""
    assert isinstance(camera.data, bpy.types.Camera)
    return camera.data


def frame_aspect(scene: bpy.types.Scene) -> float:
    """Width over height of the scene's render, non-square pixels included."""
    render = scene.render
    width = render.resolution_x * render.pixel_aspect_x
    return width / (render.resolution_y * render.pixel_aspect_y)


def label_map_shape(scene: bpy.types.Scene) -> tuple[int, int]:
    """The (height, width) to generate, from the scene's settings.

    With `match_camera` it has about the wanted number of pixels in the camera's aspect, in steps of 32; else
    it is what was typed, as for a tile. A panorama has about as many pixels, twice as wide as high.
    """
    wanted = settings(scene)
    if wanted.placement == "PANORAMA":
        height = _whole_steps(math.sqrt(wanted.width * wanted.height / 2))
        height = min(height, LARGEST_SIDE // 2)
        return height, 2 * height
    if not wanted.match_camera or wanted.placement == "TILE":
        return wanted.height, wanted.width
    return fitting_shape(scene, wanted.width * wanted.height)


def fitting_shape(scene: bpy.types.Scene, pixels: int) -> tuple[int, int]:
    """A (height, width) of about so many pixels in the camera's aspect, or in that of the size that was typed."""
    wanted = settings(scene)
    aspect = frame_aspect(scene) if wanted.match_camera else wanted.width / wanted.height
    height = math.sqrt(pixels / aspect)
    return _whole_steps(height), _whole_steps(height * aspect)


def pixel_aspect_for(shape: tuple[int, int], aspect: float) -> tuple[float, float]:
    """The pixel aspect (x, y), each at least 1, with which (height, width) pixels cover a frame of `aspect`."""
    height, width = shape
    ratio = aspect * height / width
    return (ratio, 1.0) if ratio >= 1.0 else (1.0, 1.0 / ratio)


def camera_frame(scene: bpy.types.Scene, distance: float, camera: bpy.types.Object | None = None) -> Frame:
    """The rectangle the scene's render shows at `distance` in front of a (flat) camera, its own if none is given.

    Lens, sensor, sensor fit, shift, orthographic scale and aspect are all in it.
    """
    lens = camera_data(camera or flat_camera_of(scene))
    # Blender answers with the corners at a distance of its own choice.
    corners = lens.view_frame(scene=scene)
    flat = lens.type == "ORTHO"
    scale = [1.0 if flat else distance / -corner.z for corner in corners]
    xs = [corner.x * factor for corner, factor in zip(corners, scale, strict=True)]
    ys = [corner.y * factor for corner, factor in zip(corners, scale, strict=True)]
    return Frame(min(xs), max(xs), min(ys), max(ys))


def _whole_steps(length: float) -> int:
    return min(max(round(length / SIZE_STEP), 1) * SIZE_STEP, LARGEST_SIDE)
