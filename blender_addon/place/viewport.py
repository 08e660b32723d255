# SPDX-License-Identifier: GPL-3.0-or-later
"""Views that show the picture: solid view shows no backdrop, and the picture is made for the camera."""

from __future__ import annotations

import math

import bpy

from ..properties import settings
from ..scene.projected import sky_of
from .panorama_world import panorama_of

_GRID = ("show_floor", "show_axis_x", "show_axis_y")
"""What of Blender's own would be drawn over the picture."""


def shows_pictures(view: bpy.types.SpaceView3D, scene: bpy.types.Scene) -> bool:
    """Whether a 3D view draws the scene's pictures, which are in materials unless they are the camera's background."""
    shading = view.shading
    return (
        settings(scene).placement == "BACKGROUND_IMAGE"
        or shading.type not in {"SOLID", "WIREFRAME"}
        or (shading.type == "SOLID" and shading.color_type == "TEXTURE")
    )


def show_materials(view: bpy.types.SpaceView3D, scene: bpy.types.Scene) -> None:
    """Show materials, and the scene's world, where the picture is in one; look from where the designer looks, as far as
    the camera does: what it painted on blocks beyond the view's own end would be cut out of the sky."""
    lens = scene.camera.data if scene.camera is not None else None
    if isinstance(lens, bpy.types.Camera) and view.clip_end < lens.clip_end:
        view.clip_end = lens.clip_end
    if not shows_pictures(view, scene):
        view.shading.type = "MATERIAL"
    in_world = panorama_of(scene) is not None or sky_of(scene) is not None
    if in_world and view.shading.type == "MATERIAL":  # which shows a studio of Blender's own otherwise
        view.shading.use_scene_world = True


def look_at_picture(view: bpy.types.SpaceView3D, scene: bpy.types.Scene) -> None:
    """Look through the camera, and show materials where the picture is in one."""
    show_materials(view, scene)
    if view.region_3d is not None:
        view.region_3d.view_perspective = "CAMERA"
    if had := [name for name in _GRID if getattr(view.overlay, name)]:
        screen, key = _kept_at(view)
        screen[key] = " ".join(had)
    for name in had:
        setattr(view.overlay, name, False)


def look_at_blocks(view: bpy.types.SpaceView3D) -> None:
    """Give the view back what was in the way of the picture, also after the file was saved and opened."""
    screen, key = _kept_at(view)
    for name in str(screen.get(key, "")).split():
        setattr(view.overlay, name, True)
    screen.pop(key, None)


def _kept_at(view: bpy.types.SpaceView3D) -> tuple[bpy.types.Screen, str]:
    """The view's screen, and the name of its custom property that says what the view had of the grid."""
    screen = view.id_data
    assert isinstance(screen, bpy.types.Screen)
    spaces = [[space.as_pointer() for space in area.spaces] for area in screen.areas]
    return screen, f"spade_grid_{next(i for i, each in enumerate(spaces) if view.as_pointer() in each)}"


def look_through_camera(context: bpy.types.Context) -> None:
    """Let the view that was pressed in look through the camera; from elsewhere, the first 3D view.

    The camera's frame is moved out from under the sidebar.
    """
    areas = [area for window in context.window_manager.windows for area in window.screen.areas]
    views = [area for area in areas if area.type == "VIEW_3D"]
    area = context.area if context.area in views else next(iter(views), None)
    space = area.spaces.active if area is not None else None
    if area is None or not isinstance(space, bpy.types.SpaceView3D) or space.region_3d is None:
        return
    space.region_3d.view_perspective = "CAMERA"
    widths = {region.type: region.width for region in area.regions if region.width > 1}
    covered = widths.get("UI", 0) - widths.get("TOOLS", 0)
    if context.preferences.system.use_region_overlap and widths.get("WINDOW"):
        # As Blender counts it: of the view's width, by how large the frame is drawn.
        enlarged = (math.sqrt(2) + space.region_3d.view_camera_zoom / 50) ** 2 / 2
        space.region_3d.view_camera_offset = covered / 2 / widths["WINDOW"] / enlarged, 0.0


def pressed_in(context: bpy.types.Context) -> int:
    """The 3D view that a button was pressed in, by its address (`as_pointer`); 0 elsewhere."""
    space = context.space_data
    return space.as_pointer() if isinstance(space, bpy.types.SpaceView3D) else 0


def show_in_view(address: int) -> None:
    """Let the view of this address look at the picture, where it is still open."""
    for view, scene in _views_at(address):
        look_at_picture(view, scene)


def show_as_it_looks(address: int) -> None:
    """Let the view of this address show pictures, and go on looking from where it does."""
    for view, scene in _views_at(address):
        if view.region_3d is not None and view.region_3d.view_perspective == "CAMERA":
            look_at_picture(view, scene)
        else:
            show_materials(view, scene)


def _views_at(address: int) -> list[tuple[bpy.types.SpaceView3D, bpy.types.Scene]]:
    """The open view of an address, and its window's scene."""
    return [
        (space, window.scene)
        for window in bpy.context.window_manager.windows
        for area in window.screen.areas
        if isinstance(space := area.spaces.active, bpy.types.SpaceView3D) and space.as_pointer() == address
    ]
