# SPDX-License-Identifier: GPL-3.0-or-later
"""What the panels draw into, and text that fits it."""

from __future__ import annotations

import textwrap
from typing import Any, TypeAlias

import bpy

# By the stubs a panel may have no layout, and icons are thousands of literals: one alias here, no cast at
# every call. The panels' tests check each call against Blender's own description of the interface.
Layout: TypeAlias = Any

# How wide a letter of the interface font is, on average, before scaling.
LETTER_WIDTH = 6.4
# What padding takes of the sidebar, and what icon and close button take beside it.
PADDING = 48
PADDING_AND_BUTTONS = 92


def layout_of(panel: Any) -> Layout:
    """Where a panel, menu or operator draws."""
    return panel.layout


def wrapped(
    context: bpy.types.Context, text: str, taken: int = PADDING, of_width: int | None = None
) -> list[str]:
    """A text in lines that fit the sidebar, or a dialog `of_width` points.

    taken: how many points of the width something else takes.
    """
    scale = context.preferences.system.ui_scale or 1.0  # 0 without a window
    width = context.region.width if context.region else 300
    if of_width is not None:
        width = of_width * scale
    letters = max(16, int((width / scale - taken) / LETTER_WIDTH))
    return textwrap.wrap(text, letters, break_on_hyphens=False)
