# SPDX-License-Identifier: GPL-3.0-or-later
"""Materials that a picture was projected on: copies of the user's, which stand in for them.

A copy carries no label; it has that of the material it was made of. For a label pass the paint comes off.
"""

from __future__ import annotations

from typing import Any

import bpy

from ..properties import settings
from .shader_tree import Tree
from .view import camera_data

# Custom properties of a copy: that it is one, and the user's material, which surfaces without any have not.
PAINTED, ORIGINAL = "spade_painted", "spade_original"
BAKED = "spade_baked"
"""Custom property of a material of ours that shows baked textures in the place of the user's."""
LAYER = "Spade Paint over"
"""How the names of the nodes begin that mix paint over a shader: their first shader is the user's."""

SKY = "spade_sky"
"""Custom property of a world of ours that shows the sky of projections over the user's."""


def is_painted(material: bpy.types.Material | None) -> bool:
    """Whether a material is a copy that shows projections."""
    return material is not None and PAINTED in material


def sky_of(scene: bpy.types.Scene) -> bpy.types.World | None:
    """The scene's world, where it shows the sky of projections."""
    return scene.world if scene.world is not None and SKY in scene.world else None


def shows_sky(scene: bpy.types.Scene, camera: bpy.types.Object) -> bool:
    """Whether a camera sees the sky of its projection in the world, so that it needs no backdrop for it.

    Renders that leave the world out need one, and so does a flat camera, which sees one point of the sky.
    """
    if sky_of(scene) is None or scene.render.film_transparent or camera_data(camera).type != "PERSP":
        return False
    return any(each.camera == camera and not each.hidden for each in settings(scene).projections)


def users_material(material: Any) -> Any:
    """The user's material that one stands in for; itself where it is the user's."""
    while material is not None and (PAINTED in material or BAKED in material):
        material = material.get(ORIGINAL)
    return material


def take_paint_off(tree: Tree) -> None:
    """Let an evaluated tree show the user's shaders again, as if nothing had been mixed over them."""
    for node in list(tree.nodes):
        if node.name.startswith(LAYER) and node.type == "MIX_SHADER":
            under = node.inputs[1].links
            for link in list(node.outputs[0].links):
                if under:
                    tree.links.new(under[0].from_socket, link.to_socket)
