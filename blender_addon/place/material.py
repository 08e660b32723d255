# SPDX-License-Identifier: GPL-3.0-or-later
"""The backdrop's material: the picture as it is, for the camera alone."""

from __future__ import annotations

from typing import Any

import bpy

from ..scene.borrow import set_if_known
from .colors import colors_group
from .image import play, tag_image

_PICTURE = "Spade Picture"
_COLORS = "Spade Colours"
_LIGHT = "Spade Light"


def show_image(backdrop: bpy.types.Object, image: bpy.types.Image, scene: bpy.types.Scene) -> None:
    """Show an image on a backdrop, in the colours `match_colors` promises.

    Only the picture is exchanged where the material is there: what users added to it stays.
    """
    nodes = _material_of(backdrop).node_tree.nodes
    nodes[_PICTURE].image = image
    play(nodes[_PICTURE].image_user, image)
    nodes.active = nodes[_PICTURE]  # what the viewport's texture shading shows
    match_colors(backdrop, scene)


def match_colors(backdrop: bpy.types.Object, scene: bpy.types.Scene) -> None:
    """Let the picture come out as it was generated through the scene's view and exposure of now.

    By the inverse of its view where that is there, else by the nearest colour space.
    """
    tree = _material_of(backdrop).node_tree
    assert tree is not None
    picture, light = tree.nodes[_PICTURE], tree.nodes[_LIGHT]
    group = colors_group(scene)
    if picture.image is not None:
        tag_image(picture.image, scene, raw=group is not None)
    source = picture
    if group is not None:
        source = tree.nodes.get(_COLORS) or _new_colors(tree)
        if source.node_tree != group:
            source.node_tree = group
        if not source.inputs[0].is_linked:
            tree.links.new(picture.outputs["Color"], source.inputs[0])
    links = light.inputs["Color"].links
    # A link that users led elsewhere stays.
    if not links or (links[0].from_node.name in (_PICTURE, _COLORS) and links[0].from_node != source):
        tree.links.new(source.outputs[0], light.inputs["Color"])
    strength, wanted = light.inputs["Strength"], 1.0 / exposure_of(scene)
    if abs(strength.default_value - wanted) > 1e-6 * wanted:
        strength.default_value = wanted


def image_of(backdrop: bpy.types.Object) -> bpy.types.Image | None:
    """The picture on a backdrop; None where users took our nodes out of its material."""
    material = backdrop.active_material
    node = material.node_tree.nodes.get(_PICTURE) if material and material.node_tree else None
    return node.image if node else None


def picture_node(backdrop: bpy.types.Object) -> Any:
    """The node that shows a backdrop's picture."""
    tree = _material_of(backdrop).node_tree
    assert tree is not None
    return tree.nodes[_PICTURE]


def exposure_of(scene: bpy.types.Scene) -> float:
    """How much the scene brightens whatever is rendered; a finished picture must not be exposed again."""
    film = scene.cycles.film_exposure if scene.render.engine == "CYCLES" else 1.0
    return max(film * 2.0**scene.view_settings.exposure, 1e-6)


def _material_of(backdrop: bpy.types.Object) -> bpy.types.Material:
    material = backdrop.active_material
    nodes = material.node_tree.nodes.keys() if material and material.node_tree else ()
    if material and {_PICTURE, _LIGHT} <= set(nodes):
        return material
    material = _new_material(backdrop.name)
    backdrop.active_material = material
    return material


def _new_colors(tree: bpy.types.ShaderNodeTree) -> bpy.types.Node:
    node = tree.nodes.new("ShaderNodeGroup")
    node.name, node.label = _COLORS, "Through the view"
    node.location = (300.0, -250.0)
    return node


def _new_material(name: str) -> bpy.types.Material:
    material = bpy.data.materials.new(name)
    if material.node_tree is None:  # Blender 5 always has one
        material.use_nodes = True
    # Not a lamp: Cycles would otherwise aim light rays at it.
    set_if_known(material.cycles, emission_sampling="NONE")
    tree = material.node_tree
    tree.nodes.clear()
    frame = tree.nodes.new("ShaderNodeUVMap")
    frame.uv_map = "Frame"
    picture = tree.nodes.new("ShaderNodeTexImage")
    picture.name, picture.label = _PICTURE, "Generated picture"
    picture.extension = "EXTEND"  # beyond the frame the outermost pixels go on
    light = tree.nodes.new("ShaderNodeEmission")
    light.name, light.label = _LIGHT, "As it is"
    output = tree.nodes.new("ShaderNodeOutputMaterial")
    for column, node in enumerate((frame, picture, light, output)):
        node.location = (300.0 * column - 450.0, 0.0)
    tree.links.new(frame.outputs["UV"], picture.inputs["Vector"])
    tree.links.new(picture.outputs["Color"], light.inputs["Color"])
    tree.links.new(light.outputs["Emission"], output.inputs["Surface"])
    return material
