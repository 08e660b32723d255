# SPDX-License-Identifier: GPL-3.0-or-later
"""Materials that a picture was projected on: copies of the user's, which stand in for them.

A copy carries no label; it has that of the material it was made of. For a label pass the paint comes off.
"""

from __future__ import annotations

from typing import Any

import bpy

from .shader_tree import Tree

# Custom properties of a copy: that it is one, and the user's material, which surfaces without any have not.
PAINTED, ORIGINAL = "spade_painted", "spade_original"
BAKED = "spade_baked"
"""Custom property of a material of ours that shows baked textures in the place of the user's."""
LAYER = "Spade Paint over"
"""How the names of the nodes begin that mix paint over a shader: their first shader is the user's."""


def is_painted(material: bpy.types.Material | None) -> bool:
    """Whether a material is a copy that shows projections."""
    return material is not None and PAINTED in material


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
