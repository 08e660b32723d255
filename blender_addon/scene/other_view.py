# SPDX-License-Identifier: GPL-3.0-or-later
"""A label pass of the scene seen otherwise: with some things hidden, on a wider frame."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import bpy

from .borrow import borrowed
from .view import camera_data, camera_of


@dataclass(frozen=True)
class OtherView:
    """hidden: full names of objects that are not rendered. widen: how many times as wide and high the frame is."""

    hidden: tuple[str, ...] = ()
    widen: float = 1.0


AS_IT_IS = OtherView()


@contextmanager
def seen_otherwise(scene: bpy.types.Scene, view: OtherView) -> Iterator[None]:
    """Let a scene be rendered so for the length of a `with` block; all is as it was then."""
    with ExitStack() as stack:
        names = set(view.hidden)
        for thing in [each for each in bpy.data.objects if each.name_full in names]:
            stack.enter_context(borrowed(thing, hide_render=True))
        if view.widen != 1.0:
            stack.enter_context(_wider_camera(scene, view.widen))
        yield


@contextmanager
def _wider_camera(scene: bpy.types.Scene, widen: float) -> Iterator[None]:
    """A camera in the place of the scene's, with a wider frame about the same middle. Keys move neither."""
    camera = camera_of(scene)
    wide = bpy.data.objects.new("Wide", camera_data(camera).copy())
    lens = camera_data(wide)
    try:
        lens.animation_data_clear()
        lens.lens /= widen
        lens.ortho_scale *= widen
        lens.shift_x /= widen  # a share of the frame's width
        lens.shift_y /= widen
        wide.matrix_world = camera.matrix_world
        scene.collection.objects.link(wide)
        with borrowed(scene, camera=wide):
            yield
    finally:
        bpy.data.objects.remove(wide)
        bpy.data.cameras.remove(lens)
