# SPDX-License-Identifier: GPL-3.0-or-later
"""A panorama's light in files, turned so that it lies as the scene does.

The middle of the file looks along Blender's +X, the place a quarter further left along +Y: so an Environment Texture
shows it as it is, and so does a program that takes both it and a glTF of the scene in glTF's axes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ..contract.errors import BadOptionError
from ..place.colors import colors_group, find_colors, table_in
from ..place.image import provenance_of
from ..place.panorama_world import panorama_of
from ..scene.exr_writing import exr
from ..style.reference import rgb_of
from .cube import FACES, face
from .light import light_in
from .radiance import radiance

FORMATS: dict[str, Callable[[np.ndarray], bytes]] = {"HDR": radiance, "EXR": exr}


def write_panorama(
    scene: str, layer: str, folder: str, name: str, file_format: str, cubemap: bool
) -> Iterator[dict[str, Any]]:
    """Write the light of the scene's panorama into a folder; tells how much is done.

    The faces of a cube have half the panorama's height, and names that end in _px, _nx, and so on.
    """
    shown = bpy.data.scenes[scene]
    light = aligned_light(shown)
    yield {"fraction": 0.3}
    packed, ending = FORMATS[file_format], file_format.lower()
    (Path(folder) / f"{name}.{ending}").write_bytes(packed(light))
    yield {"fraction": 0.6}
    for number, axis in enumerate(FACES if cubemap else ()):
        pixels = packed(face(light, axis, light.shape[0] // 2))
        (Path(folder) / f"{name}_{axis}.{ending}").write_bytes(pixels)
        yield {"fraction": 0.6 + 0.4 * (number + 1) / len(FACES)}


def aligned_light(scene: bpy.types.Scene) -> np.ndarray:
    """(H, W, 3) float32 light of the scene's panorama, turned by whole pixels so that its middle looks along +X.

    Raises BadOptionError where there is none.
    """
    image = panorama_of(scene)
    if image is None:
        raise BadOptionError("The scene has no panorama.", "Place As Panorama, and generate.")
    find_colors(scene)
    group = colors_group(scene)
    table = None if group is None else table_in(group)
    light = light_in(rgb_of(image), table, is_linear=scene.view_settings.view_transform == "Raw")
    turned = float(provenance_of(image).get("yaw", 0.0)) + math.pi / 2
    return np.roll(light, round(-turned / math.tau * light.shape[1]), axis=1)
