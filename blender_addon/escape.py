# SPDX-License-Identifier: GPL-3.0-or-later
"""Esc over a 3D view ends what is painted beside the designer's work: one thing with each press.

It is a key of the views, and not of modal operators: while one of these runs, Blender does not save by itself.
"""

from __future__ import annotations

import bpy

ENDS = ("spade.end_live", "spade.stop_animation", "spade.stop_batch")
"""What can be ended says so in its poll; else the key is what it was."""
_keys: list[tuple[bpy.types.KeyMap, bpy.types.KeyMapItem]] = []


def register() -> None:
    keys = bpy.context.window_manager.keyconfigs.addon
    if keys is None:  # there are none without a window
        return
    views = keys.keymaps.new(name="3D View Generic", space_type="VIEW_3D")  # the sidebar's, too
    for operator in ENDS:
        _keys.append((views, views.keymap_items.new(operator, "ESC", "PRESS")))


def unregister() -> None:
    while _keys:
        views, key = _keys.pop()
        views.keymap_items.remove(key)
        keys = bpy.context.window_manager.keyconfigs.addon
        if keys is not None and not views.keymap_items:
            keys.keymaps.remove(views)
