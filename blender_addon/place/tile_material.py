# SPDX-License-Identifier: GPL-3.0-or-later
"""A seamless tile as a material: it repeats along the world's axes, so that no UV map is needed."""

from __future__ import annotations

from typing import Any

import bpy

from ..properties import settings

_PICTURE, _SIZE = "Spade Picture", "Spade Size"


def place_tile(scene: bpy.types.Scene, image: bpy.types.Image) -> bpy.types.Material:
    """Show a tile in the scene's tile material; it is made where there is none."""
    spade = settings(scene)
    material = spade.tile_material
    if material is None or material.node_tree is None or _PICTURE not in material.node_tree.nodes:
        material = spade.tile_material = _new_material()
    nodes: Any = material.node_tree.nodes
    nodes[_PICTURE].image = image
    image.colorspace_settings.name = "sRGB"  # a surface's colour, which the scene's light falls on
    fit_tile(scene)
    return material


def fit_tile(scene: bpy.types.Scene) -> None:
    """Let a tile be as wide as the scene says."""
    spade = settings(scene)
    material = spade.tile_material
    node: Any = material.node_tree.nodes.get(_SIZE) if material is not None and material.node_tree else None
    if node is None:
        return
    scale, wanted = node.inputs["Scale"], 1.0 / spade.tile_width
    if abs(scale.default_value[0] - wanted) > 1e-6 * wanted:
        scale.default_value = (wanted,) * 3


def tile_of(scene: bpy.types.Scene) -> bpy.types.Image | None:
    """The tile that is shown."""
    material = settings(scene).tile_material
    node: Any = (
        material.node_tree.nodes.get(_PICTURE) if material is not None and material.node_tree else None
    )
    return None if node is None else node.image


def _new_material() -> bpy.types.Material:
    material = bpy.data.materials.new("Spade Tile")
    if material.node_tree is None:  # Blender 5 always has one
        material.use_nodes = True
    tree: Any = material.node_tree
    tree.nodes.clear()
    place, size = tree.nodes.new("ShaderNodeNewGeometry"), tree.nodes.new("ShaderNodeMapping")
    picture, surface = tree.nodes.new("ShaderNodeTexImage"), tree.nodes.new("ShaderNodeBsdfPrincipled")
    output = tree.nodes.new("ShaderNodeOutputMaterial")
    size.name, picture.name = _SIZE, _PICTURE
    picture.projection, picture.projection_blend, picture.extension = "BOX", 0.2, "REPEAT"
    surface.inputs["Roughness"].default_value = 0.9
    tree.links.new(place.outputs["Position"], size.inputs["Vector"])
    tree.links.new(size.outputs["Vector"], picture.inputs["Vector"])
    tree.links.new(picture.outputs["Color"], surface.inputs["Base Color"])
    tree.links.new(surface.outputs[0], output.inputs["Surface"])
    for column, node in enumerate((place, size, picture, surface, output)):
        node.location = (300.0 * column - 600.0, 0.0)
    return material
