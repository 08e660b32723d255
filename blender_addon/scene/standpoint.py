# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a designer stands, as numbers, and the camera that is put there."""

from __future__ import annotations

from typing import Any

import bpy
from mathutils import Matrix

from ..bridge.sight import Standpoint
from .view import FLAT, camera_data, flat_camera_of

NAME = "Projector"
_LENS = (
    "type", "lens", "sensor_fit", "sensor_width", "sensor_height", "shift_x", "shift_y", "ortho_scale",
    "clip_start", "clip_end",
)  # fmt: skip


def standpoint_of(context: bpy.types.Context) -> Standpoint:
    """Where the 3D view looks from, or where the active camera is. Raises NoCameraError without one."""
    space, active = context.space_data, flat_camera_of(context.scene)
    lens = {name: getattr(camera_data(active), name) for name in _LENS}
    view = space.region_3d if isinstance(space, bpy.types.SpaceView3D) else None
    if view is None or view.view_perspective == "CAMERA":
        return Standpoint(_rows(active.matrix_world), lens)
    assert isinstance(space, bpy.types.SpaceView3D)
    lens |= {
        "type": "PERSP" if view.is_perspective else "ORTHO",
        # A view is twice as wide as a camera of its lens.
        "lens": space.lens / 2,
        "ortho_scale": 2 * view.view_distance * 36.0 / space.lens,
        **{"sensor_fit": "AUTO", "sensor_width": 36.0, "shift_x": 0.0, "shift_y": 0.0},
    }
    assert lens["type"] in FLAT
    return Standpoint(_rows(view.view_matrix.inverted()), lens)


def put_camera(scene: bpy.types.Scene, standpoint: Standpoint) -> bpy.types.Object:
    """A new camera there."""
    here = bpy.data.objects.new(NAME, bpy.data.cameras.new(NAME))
    for name, value in standpoint.lens.items():
        setattr(here.data, name, value)
    scene.collection.objects.link(here)
    here.matrix_world = Matrix(standpoint.matrix)
    return here


def remove_camera(camera: bpy.types.Object) -> None:
    """Take one out of the file again."""
    lens = camera_data(camera)
    bpy.data.objects.remove(camera)
    bpy.data.cameras.remove(lens)


def _rows(matrix: Any) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(number) for number in row) for row in matrix)
