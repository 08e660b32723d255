# SPDX-License-Identifier: GPL-3.0-or-later
"""A tile as the three pictures that make a surface: albedo, normals, roughness; their sides meet as the tile's do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy

from ..bake.surface import normals, roughness
from ..contract.errors import BadOptionError
from ..place.tile_material import tile_of
from ..scene.png import png
from ..style.reference import rgb_of

KINDS = ("albedo", "normal", "roughness")


def write_tile(scene: str, layer: str, folder: str, name: str, y_down: bool) -> Iterator[dict[str, Any]]:
    """Write the scene's tile into a folder; tells how much is done.

    y_down: let green be how far a normal leans down (DirectX), in place of up (OpenGL, glTF). Raises BadOptionError
    where there is no tile.
    """
    image = tile_of(bpy.data.scenes[scene])
    if image is None:
        raise BadOptionError("There is no tile yet.", "Place As Tile, and generate.")
    colors = rgb_of(image)
    leaning = normals(colors, repeats=True)
    if y_down:
        leaning[..., 1] = 255 - leaning[..., 1]
    for number, pixels in enumerate((colors, leaning, roughness(colors))):
        (Path(folder) / f"{name}_{KINDS[number]}.png").write_bytes(png(pixels))
        yield {"fraction": (number + 1) / len(KINDS)}
