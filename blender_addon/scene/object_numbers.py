# SPDX-License-Identifier: GPL-3.0-or-later
"""Which object each pixel of a label pass shows, copies by instancing told apart.

Where a label pass has decided what is there and what is not (see `label_shaders`), everything that is there glows with
the number that Cycles gives each instance. So what is seen is what the label pass sees: through cut-outs, past what is
wholly transparent. What has no material cannot glow; where the camera sees such things, a second render of the same
copy asks, in which they alone are there, under one material.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import bpy
import numpy as np

from .borrow import set_if_known
from .evaluated import evaluated_materials, evaluated_objects, original_of
from .instances import has_geometry_nodes
from .shader_tree import Groups, Node, Socket, Tree, is_see_through, trees_of

LARGEST_NUMBER = 65535
"""Of an object in an instance map; with more objects, numbers come again."""
_LEFT = frozenset({"GROUP", "GROUP_INPUT", "REROUTE", "HOLDOUT"})


def let_objects_glow(graph: bpy.types.Depsgraph) -> None:
    """Let every surface in a render's graph glow with its instance's number; after `decide_shaders`."""
    done: set[int] = set()
    for material in evaluated_materials(graph):
        if material.node_tree is None:
            continue
        # A mesh that glows would be sampled as a lamp, triangle by triangle.
        set_if_known(material.cycles, emission_sampling="NONE")
        for tree, groups in trees_of(material.node_tree):
            if tree.as_pointer() not in done:  # materials share groups
                done.add(tree.as_pointer())
                _let_glow(tree, groups)
    for thing in evaluated_objects(graph):
        if thing.type == "LIGHT":
            thing.visible_camera = False  # it would shine into the numbers


def hide_what_has_materials(graph: bpy.types.Depsgraph) -> None:
    """Let a render not see the objects that have glowed: whatever is left hides all that is behind it."""
    for thing in evaluated_objects(graph):
        slots = thing.material_slots
        if len(slots) and all(slot.material for slot in slots) and not has_geometry_nodes(original_of(thing)):
            thing.visible_camera = False


@contextmanager
def everything_glows(copy: bpy.types.Scene) -> Iterator[None]:
    """Let all surfaces of a stripped copy, those without a material too, glow with their instance's number."""
    glow = bpy.data.materials.new("Objects")
    layer = next(layer for layer in copy.view_layers if layer.use)
    try:
        set_if_known(glow, use_nodes=True)
        set_if_known(glow.cycles, emission_sampling="NONE")
        tree = glow.node_tree
        assert tree is not None
        tree.nodes.clear()
        end = tree.nodes.new("ShaderNodeOutputMaterial")
        tree.links.new(_glow_in(tree), end.inputs["Surface"])
        layer.material_override = glow
        yield
    finally:
        layer.material_override = None
        bpy.data.materials.remove(glow)


def instance_map_of(classes: np.ndarray, things: np.ndarray, numbers: np.ndarray) -> tuple[np.ndarray, int]:
    """(H, W) uint16, 0 where nothing is, and how many objects are seen; an object of two classes counts as two.

    classes: (H, W) ids; things: (H, W) pass indices, 0 where nothing is; numbers: (H, W) float32, of instances.
    """
    seen = things > 0
    of_each = np.stack([classes[seen], things[seen], numbers[seen]], axis=1)
    objects, found = np.unique(of_each, axis=0, return_inverse=True)
    instances = np.zeros(things.shape, np.uint16)
    # What counts is that neighbours differ: with more objects than 16 bits have, numbers come again.
    instances[seen] = found.ravel() % LARGEST_NUMBER + 1
    return instances, len(objects)


def _let_glow(tree: Tree, groups: Groups) -> None:
    """Every shader of a tree in which each is wholly there or not at all."""
    changes: list[Callable[[Socket], None]] = []
    for node in list(tree.nodes):
        outputs = [each for each in node.outputs if each.type == "SHADER" and each.is_linked]
        if not outputs or node.type in _LEFT or "VOLUME" in node.type:
            continue
        if node.type in ("MIX_SHADER", "ADD_SHADER"):
            if not any(is_see_through(each, groups) for each in node.inputs if each.type == "SHADER"):
                changes.append(lambda glow, node=node: _replace(tree, node, glow))
        elif node.type == "BSDF_TRANSPARENT":
            changes.append(lambda glow, node=node: _glow_where_dark(tree, node, glow))
        elif node.type == "BSDF_PRINCIPLED" and node.inputs["Alpha"].is_linked:
            changes.append(lambda glow, node=node: _glow_by_alpha(tree, node, glow))
        else:
            changes.append(lambda glow, node=node: _replace(tree, node, glow))
    if changes:
        glow = _glow_in(tree)
        for change in changes:
            change(glow)


def _glow_in(tree: Tree) -> Socket:
    """The number of the instance as light."""
    info, light = tree.nodes.new("ShaderNodeObjectInfo"), tree.nodes.new("ShaderNodeEmission")
    light.inputs["Strength"].default_value = 1.0
    tree.links.new(info.outputs["Random"], light.inputs["Color"])
    return light.outputs["Emission"]


def _replace(tree: Tree, node: Node, shader: Socket) -> None:
    for output in node.outputs:
        for link in list(output.links) if output.type == "SHADER" else ():
            tree.links.new(shader, link.to_socket)


def _glow_by_alpha(tree: Tree, node: Node, glow: Socket) -> None:
    """Alpha is 0 or 1 by now."""
    mix, clear = tree.nodes.new("ShaderNodeMixShader"), tree.nodes.new("ShaderNodeBsdfTransparent")
    tree.links.new(node.inputs["Alpha"].links[0].from_socket, mix.inputs[0])
    tree.links.new(clear.outputs[0], mix.inputs[1])
    _replace(tree, node, mix.outputs[0])
    tree.links.new(glow, mix.inputs[2])


def _glow_where_dark(tree: Tree, node: Node, glow: Socket) -> None:
    """Black counts as there; by a texture, what is transparent by less than a half."""
    color = node.inputs["Color"]
    if not color.is_linked:
        if not any(color.default_value[:3]):
            _replace(tree, node, glow)
        return
    mix, clear = tree.nodes.new("ShaderNodeMixShader"), tree.nodes.new("ShaderNodeBsdfTransparent")
    mean, test = tree.nodes.new("ShaderNodeVectorMath"), tree.nodes.new("ShaderNodeMath")
    mean.operation, test.operation = "DOT_PRODUCT", "GREATER_THAN"
    mean.inputs[1].default_value = (1 / 3, 1 / 3, 1 / 3)
    test.inputs[1].default_value = 0.5
    tree.links.new(color.links[0].from_socket, mean.inputs[0])
    tree.links.new(mean.outputs["Value"], test.inputs[0])
    tree.links.new(test.outputs[0], mix.inputs[0])
    _replace(tree, node, mix.outputs[0])
    tree.links.new(glow, mix.inputs[1])
    tree.links.new(clear.outputs[0], mix.inputs[2])
