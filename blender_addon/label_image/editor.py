# SPDX-License-Identifier: GPL-3.0-or-later
"""The Image Editor that a label image is painted in: found, or made beside the 3D view."""

from __future__ import annotations

import bpy

from .brushes import take_brush

CATEGORY = "Backdrops"


def show_for_painting(context: bpy.types.Context, image: bpy.types.Image) -> None:
    """Show an image in paint mode with the add-on's tab open; a script without a window has no editor."""
    if context.window is None or context.screen is None or bpy.app.background:
        return
    areas = list(context.screen.areas)
    area = next((area for area in areas if area.type == "IMAGE_EDITOR"), None) or _split_off(context)
    if area is None:
        return
    space = area.spaces.active
    assert isinstance(space, bpy.types.SpaceImageEditor)
    space.image, space.ui_mode, space.show_region_ui = image, "PAINT", True
    space.show_region_asset_shelf = False  # of brushes that would blur labels
    window, pointer = context.window, area.as_pointer()
    # A new editor has its regions and tools from its first drawing on.
    bpy.app.timers.register(lambda: _take_up_brush(window, pointer), first_interval=0.2)


def largest_view(context: bpy.types.Context) -> bpy.types.SpaceView3D | None:
    """The 3D view in which a picture is looked at when the press came from another editor."""
    areas = [area for area in context.screen.areas if area.type == "VIEW_3D"] if context.screen else []
    area = max(areas, key=lambda area: area.width * area.height, default=None)
    space = area.spaces.active if area else None
    return space if isinstance(space, bpy.types.SpaceView3D) else None


def _split_off(context: bpy.types.Context) -> bpy.types.Area | None:
    """The left half of the 3D view as an Image Editor, so that labels and picture stand side by side."""
    areas = list(context.screen.areas)
    views = [area for area in areas if area.type == "VIEW_3D"]
    if not views:
        return None
    view = max(views, key=lambda area: area.width * area.height)
    with context.temp_override(area=view, region=None):
        bpy.ops.screen.area_split(direction="VERTICAL", factor=0.5)
    new = next((area for area in context.screen.areas if area not in areas), None)
    if new is not None:
        new.ui_type = "IMAGE_EDITOR"
    return new


def _take_up_brush(window: bpy.types.Window, pointer: int) -> None:
    area = next((area for area in window.screen.areas if area.as_pointer() == pointer), None)
    if area is None:
        return
    regions = {region.type: region for region in area.regions}
    with bpy.context.temp_override(window=window, area=area, region=regions["WINDOW"]):
        take_brush("BRUSH")
        bpy.ops.image.view_all(fit_view=True)
    area.tag_redraw()
