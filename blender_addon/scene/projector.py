# SPDX-License-Identifier: GPL-3.0-or-later
"""The numbers of a camera that a picture is projected with."""

from __future__ import annotations

import math
from typing import Any

import bpy
from mathutils import Matrix

from ..bridge.sight import Projector
from .panorama import level
from .view import camera_data, camera_frame


def projector_around(camera: bpy.types.Object) -> Projector:
    """All around the place of a camera, level, as `looking_around` has it."""
    inverse: Any = level(camera).inverted()
    rows = tuple(tuple(float(number) for number in row) for row in inverse)[:3]
    return Projector(rows, (1 / math.tau, 1 / math.pi), (0.5, 0.5), is_around=True)


def projector_of(scene: bpy.types.Scene, camera: bpy.types.Object, widen: float = 1.0) -> Projector:
    """A flat camera as it stands now, its frame as the scene's render has it; `widen` makes that so many times as wide
    and high about its middle.

    Cameras see as if they had no scale, so only place and rotation count.
    """
    place = camera.matrix_world
    inverse: Any = Matrix.LocRotScale(place.to_translation()[:], place.to_quaternion(), None).inverted()
    frame = camera_frame(scene, 1.0, camera)
    scale = (1.0 / (frame.width * widen), 1.0 / (frame.height * widen))
    middle = ((frame.left + frame.right) / 2, (frame.bottom + frame.top) / 2)
    center = (0.5 - middle[0] * scale[0], 0.5 - middle[1] * scale[1])
    rows = tuple(tuple(float(number) for number in row) for row in inverse)[:3]
    return Projector(rows, scale, center, camera_data(camera).type == "ORTHO")
