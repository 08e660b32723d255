# SPDX-License-Identifier: GPL-3.0-or-later
"""Projected pictures as image textures by UV map: for other programs, and for things that move.

- `plan`: what is to be baked, refused with a reason before anything is.
- `baker`, `baker_main`: a Blender in the background that does it, and what that runs.
- `texels`: one thing's colours, and which of its texels a projection reaches.
- `filling`, `surface`: the texels that none reaches; roughness and normals.
- `baked`: materials that show the textures.
- `running`: the one bake that is under way.
"""

from __future__ import annotations

from . import running


def register() -> None:
    running.register()


def unregister() -> None:
    running.unregister()
