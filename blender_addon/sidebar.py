# SPDX-License-Identifier: GPL-3.0-or-later
"""The sidebars of the 3D views and image editors, where the panels are."""

from __future__ import annotations

import bpy


def redraw() -> None:
    """Ask for a new drawing of the sidebars."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in {"VIEW_3D", "IMAGE_EDITOR"}:
                for region in area.regions:
                    if region.type == "UI":
                        region.tag_redraw()
