# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture in Blender: placed, kept, and fitting whatever changes."""

from __future__ import annotations

from . import colors, follow, keep

_PARTS = (keep, follow)


def register() -> None:
    for part in _PARTS:
        part.register()


def unregister() -> None:
    for part in reversed(_PARTS):
        part.unregister()
    colors.unregister()
