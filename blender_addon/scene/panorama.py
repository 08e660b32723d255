# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels taken all around the camera: by a levelled copy of it, which sees the whole sphere in a picture of 2:1.

Column 0 and the last one meet behind the camera; row 0 is the zenith. A model knows skies that lie above a horizon, so
the copy stands upright however the camera is turned, and what shows past everything below the horizon is no sky there,
but the ground that goes on.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import bpy
import numpy as np
from mathutils import Euler, Matrix, Vector

from ..contract.errors import NothingLabelledError
from .view import camera_of


def yaw_of(camera: bpy.types.Object) -> float:
    """How far a camera is turned around the vertical, in radians: 0 looks along +Y, and turning left is more."""
    turned = camera.matrix_world.to_quaternion()
    ahead = turned @ Vector((0.0, 0.0, -1.0))
    if (
        math.hypot(ahead.x, ahead.y) < 1e-4
    ):  # straight down or up: where its upper side points, or its lower one
        ahead = turned @ Vector((0.0, math.copysign(1.0, -ahead.z), 0.0))
    return math.atan2(-ahead.x, ahead.y)


def level(camera: bpy.types.Object) -> Matrix:
    """Where a camera stands, upright, and turned as it is: camera to world."""
    upright = Euler((math.pi / 2, 0.0, yaw_of(camera))).to_matrix().to_4x4()
    return Matrix.Translation(camera.matrix_world.to_translation()[:]) @ upright


@contextmanager
def looking_around(scene: bpy.types.Scene, copy: bpy.types.Scene) -> Iterator[None]:
    """While it lasts, a copy of a scene looks all around the place of the scene's camera. Raises NoCameraError."""
    camera = camera_of(scene)
    lens = bpy.data.cameras.new("Spade Panorama")
    eye = bpy.data.objects.new("Spade Panorama", lens)
    try:
        lens.type = "PANO"
        # Blender 4 below 4.5 has it in the data of Cycles.
        holder = lens if hasattr(lens, "panorama_type") else lens.cycles
        holder.panorama_type = "EQUIRECTANGULAR"
        lens.clip_start, lens.clip_end = camera.data.clip_start, camera.data.clip_end
        eye.matrix_world = level(camera)
        copy.collection.objects.link(eye)
        copy.camera = eye
        yield
    finally:
        bpy.data.objects.remove(eye)
        bpy.data.cameras.remove(lens)


def with_ground(label_map: np.ndarray, background: int, ignore: int) -> np.ndarray:
    """A panorama's (H, W) ids with ground in place of the background below the horizon: the commonest class there.

    Raises NothingLabelledError where there is nothing but background.
    """
    below = label_map[label_map.shape[0] // 2 :]
    empty = below == background
    if not empty.any():
        return label_map
    ids, counts = np.unique(below[~empty & (below != ignore)], return_counts=True)
    if not ids.size:
        raise NothingLabelledError(
            "The camera sees no ground around it: a panorama would be sky above and below.",
            "Put a plane with a label under the scene.",
        )
    filled = label_map.copy()
    filled[label_map.shape[0] // 2 :][empty] = ids[counts.argmax()]
    return filled
