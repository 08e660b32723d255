# SPDX-License-Identifier: GPL-3.0-or-later
"""Show: the blocks, the picture that was painted from them, or both; kept in the scene as `scene.spade.show`."""

from __future__ import annotations

import bpy

from ..properties import settings
from ..scene.blocks import hide_blocks, reveal_blocks
from .placement import fit


def show(scene: bpy.types.Scene, what: str) -> None:
    """Show "BLOCKS", "PICTURE" or "BOTH", in views and in renders."""
    if what != settings(scene).show or not settings(scene).is_property_set("show"):
        settings(scene).show = what
    if what == "PICTURE" and not settings(scene).is_on_blocks:
        hide_blocks(scene)
    else:
        reveal_blocks(scene)
    fit(scene)


def show_landed(scene: bpy.types.Scene) -> None:
    """A picture was placed: let it be seen. Both are shown on where the user chose so."""
    chose_both = settings(scene).is_property_set("show") and settings(scene).show == "BOTH"
    show(scene, "BOTH" if chose_both else "PICTURE")


def show_nothing_placed(scene: bpy.types.Scene) -> None:
    """The scene has no picture any more: its blocks are all there is to see."""
    reveal_blocks(scene)
    settings(scene).property_unset("show")
