# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture in Blender: placed, and fitting whatever changes."""

from __future__ import annotations

from typing import Any

from ..properties import SpadeSettings
from . import colors, follow
from .placement import shown_picture


def register() -> None:
    # `scene.spade.picture`, for scripts: the image that a scene shows. It follows from what is placed.
    kind: Any = SpadeSettings
    kind.picture = property(lambda self: shown_picture(self.id_data))
    follow.register()


def unregister() -> None:
    follow.unregister()
    colors.unregister()
