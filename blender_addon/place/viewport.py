# SPDX-License-Identifier: GPL-3.0-or-later
"""Views that show the picture: solid view shows no backdrop, and the picture is made for the camera."""

from __future__ import annotations

import bpy

from ..properties import settings


def shows_pictures(view: bpy.types.SpaceView3D, scene: bpy.types.Scene) -> bool:
    """Whether a 3D view draws the scene's pictures, which are in materials unless they are the camera's background."""
    shading = view.shading
    return (
        settings(scene).placement == "CAMERA"
        or shading.type not in {"SOLID", "WIREFRAME"}
        or (shading.type == "SOLID" and shading.color_type == "TEXTURE")
    )


def look_at_picture(view: bpy.types.SpaceView3D, scene: bpy.types.Scene) -> None:
    """Look through the camera, and show materials where the picture is in one."""
    if not shows_pictures(view, scene):
        view.shading.type = "MATERIAL"
    if view.region_3d is not None:
        view.region_3d.view_perspective = "CAMERA"


def look_through_camera(context: bpy.types.Context) -> None:
    """Let the view that was pressed in look through the camera; from elsewhere, the first 3D view."""
    pressed_in = context.space_data
    if isinstance(pressed_in, bpy.types.SpaceView3D):
        views = [pressed_in]
    else:
        areas = [area for window in context.window_manager.windows for area in window.screen.areas]
        views = [area.spaces.active for area in areas if area.type == "VIEW_3D"][:1]
    for view in views:
        if isinstance(view, bpy.types.SpaceView3D) and view.region_3d is not None:
            view.region_3d.view_perspective = "CAMERA"


def show_in_view(address: int) -> None:
    """Let the view of this address (`as_pointer`) show the picture, where it is still open."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            space = area.spaces.active
            if isinstance(space, bpy.types.SpaceView3D) and space.as_pointer() == address:
                look_at_picture(space, window.scene)
