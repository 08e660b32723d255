# SPDX-License-Identifier: GPL-3.0-or-later
"""The cube that every new file of Blender begins with: it would stand in the middle of the example."""

from __future__ import annotations

import bpy
import numpy as np

from ..scene.given_labels import LABEL


def hide_startup_cube(scene: bpy.types.Scene, layer: bpy.types.ViewLayer) -> bpy.types.Object | None:
    """Hide it in views and renders and return it, where it still stands as Blender made it; else None."""
    cube = scene.objects.get("Cube")
    if cube is None or not _is_untouched(cube):
        return None
    cube.hide_render = True
    if layer.objects.get(cube.name) is not None:
        cube.select_set(False, view_layer=layer)
        cube.hide_set(True, view_layer=layer)
    return cube


def _is_untouched(cube: bpy.types.Object) -> bool:
    """Whether nobody has made anything of it: two metres wide, at the origin, and no more than that."""
    mesh = cube.data
    if not isinstance(mesh, bpy.types.Mesh) or len(mesh.vertices) != 8 or len(mesh.polygons) != 6:
        return False
    is_bare = not (cube.modifiers or cube.children or cube.parent or cube.animation_data or LABEL in cube)
    corners = np.array([vertex.co for vertex in mesh.vertices])
    return is_bare and cube.matrix_world.is_identity and bool((np.abs(corners) == 1.0).all())
