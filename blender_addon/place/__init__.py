# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture in Blender: placed, and fitting whatever changes."""

from __future__ import annotations

from . import colors, follow


def register() -> None:
    follow.register()


def unregister() -> None:
    follow.unregister()
    colors.unregister()
