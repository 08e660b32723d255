# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps a placed picture from being seen as it was painted, in words."""

from __future__ import annotations

import bpy

from ..properties import settings
from ..scene.view import camera_data
from .backdrop import has_world_fog, picture_of
from .colors import missed_colors
from .layers.cards import layers_of, sees_past_layers

# Of all colours; photographs have few of the vivid ones that most views miss.
_SOME, _MOST = 0.05, 0.6


def caveats(scene: bpy.types.Scene) -> list[str]:
    """A sentence for each; none where the picture is seen as it was painted."""
    if settings(scene).placement == "BACKGROUND_IMAGE":
        return ["Views through the camera show the picture; it is not in renders."]
    view, found = scene.view_settings, []
    if settings(scene).is_on_blocks and settings(scene).unpainted:
        found.append(settings(scene).unpainted)
    if settings(scene).placement == "LAYERS":
        found += _of_layers(scene)
    missed = missed_colors(scene)
    if missed > _MOST:
        found.append(f"The view '{view.view_transform}' cannot show pictures as they were painted.")
    elif missed > _SOME:
        found.append(
            f"The view '{view.view_transform}' shows very vivid colours paler than they were painted."
        )
    if view.look not in ("", "None"):
        found.append(f"The look '{view.look}' grades the picture, too.")
    if view.use_curve_mapping:
        found.append("The view's curves grade the picture, too.")
    if scene.camera is not None and isinstance(scene.camera.data, bpy.types.Camera):
        if camera_data(scene.camera).dof.use_dof and settings(scene).placement != "LAYERS":
            found.append("Depth of field blurs the picture as it would a wall that far away.")
    if has_world_fog(scene):
        found.append("The world's fog lies before the picture.")
    return found


def _of_layers(scene: bpy.types.Scene) -> list[str]:
    camera = scene.camera
    if camera is None or not isinstance(camera.data, bpy.types.Camera):
        return []
    if picture_of(scene, camera) is not None and layers_of(scene, camera) is None:
        return ["The picture has no layers yet: Generate paints what stands behind."]
    if sees_past_layers(scene, camera):
        return ["The camera sees beyond the layers: move it back, or Generate from here."]
    return []
