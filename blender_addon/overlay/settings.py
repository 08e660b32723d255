# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether and how labels are shown over the 3D views: a matter of the window, not of the scene, and not undone."""

# No postponed annotations here: Blender reads its properties out of them.

from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, PointerProperty

SOURCES = (
    ("THINGS", "Things", "What each thing is labelled as now, in any view"),
    ("MAP", "Last Map", "The label map that the last picture was painted from, over the camera's frame"),
)


def redraw_views() -> None:
    """Ask for a new drawing of all 3D views."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()


def _redraw(overlay: Any, context: Any) -> None:
    redraw_views()


class SpadeOverlay(bpy.types.PropertyGroup):
    """The label overlay of all 3D views."""

    is_shown: BoolProperty(
        name="Label Overlay",
        description="Show everything in the colour of its class, over the 3D views",
        update=_redraw,
    )
    source: EnumProperty(
        name="Shows", description="Which labels the overlay shows", items=SOURCES, update=_redraw
    )
    opacity: FloatProperty(
        name="Opacity",
        description="How much of the view the colours cover: at 1 all of it, as the label map is painted from",
        default=0.65,
        min=0.05,
        max=1.0,
        subtype="FACTOR",
        update=_redraw,
    )
    live_opacity: FloatProperty(
        name="Live Picture",
        description="How much of the view the live picture covers: below 1 the blocks show through",
        default=0.9,
        min=0.05,
        max=1.0,
        subtype="FACTOR",
        update=_redraw,
    )
    show_legend: BoolProperty(
        name="Legend",
        description="List the classes in use, with their shares of the camera's picture",
        default=True,
        update=_redraw,
    )


def overlay_settings(context: bpy.types.Context) -> Any:
    """The overlay's settings."""
    manager: Any = context.window_manager
    return manager.spade_overlay


def register() -> None:
    bpy.utils.register_class(SpadeOverlay)
    bpy.types.WindowManager.spade_overlay = PointerProperty(type=SpadeOverlay)


def unregister() -> None:
    del bpy.types.WindowManager.spade_overlay
    bpy.utils.unregister_class(SpadeOverlay)
