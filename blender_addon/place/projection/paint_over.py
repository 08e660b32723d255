# SPDX-License-Identifier: GPL-3.0-or-later
"""Mixing paint over the surfaces of a material's nodes, without closing the holes in them.

What cuts out (alpha from a texture, or from where a point lies) stays cut out: leaf cards keep their shape. What is
evenly see-through, water or a pane, is painted over as a whole: to the picture it is what the label says. So the label
pass sees it, too (see `scene/label_shaders`).
"""

from __future__ import annotations

from typing import Any

import bpy

from ...scene.projected import LAYER, PAINTED
from ...scene.shader_tree import Groups, Node, Socket, Tree, is_by_place, is_see_through

PAINT_NODE, MEAN_NODE = "Spade Paint", "Spade Mean"
"""Names of the nodes in a painted tree: the scene's projections, and what is read where none of them reaches."""
MEAN = "spade_mean"
"""Custom property of an object: the mean colour of its class, red, green, blue, and 1; 0 at the end for none."""
_GREY = (0.8, 0.8, 0.8, 1.0)


def paint_over(tree: Tree, paint: bpy.types.NodeTree) -> None:
    """Mix the group `paint` (Light, Weight) over what every material output of a tree shows."""
    painter = _Painter(tree, paint)
    for node in [each for each in tree.nodes if each.type == "OUTPUT_MATERIAL"]:
        painter.paint(node.inputs["Surface"], ())


def new_surface(tree: Tree, color: tuple[float, ...] | None) -> None:
    """The nodes of a plain material: what Blender shows of one without nodes, or of none at all."""
    tree.nodes.clear()
    surface, end = tree.nodes.new("ShaderNodeBsdfDiffuse"), tree.nodes.new("ShaderNodeOutputMaterial")
    surface.inputs["Color"].default_value = color or _GREY
    tree.links.new(surface.outputs[0], end.inputs["Surface"])


class _Painter:
    """Paints one tree; the group nodes in it that let look through get painted copies of their trees."""

    def __init__(self, tree: Tree, paint: bpy.types.NodeTree) -> None:
        self._tree, self._paint = tree, paint
        self._group: Node = None
        self._light: Socket = None
        self._done: set[tuple[int, str]] = set()

    def paint(self, socket: Socket, groups: Groups) -> None:
        """Paint what goes into a socket for shaders."""
        if not socket.is_linked:
            return
        shader = socket.links[0].from_socket
        node = shader.node
        if node.type == "REROUTE":
            self.paint(node.inputs[0], groups)
        elif node.type in ("BSDF_TRANSPARENT", "HOLDOUT", "GROUP_INPUT"):
            return
        elif node.type == "MIX_SHADER" and self._cuts_out(node, groups):
            self._once(node, node.inputs[1:3], groups)
        elif node.type == "ADD_SHADER" and any(is_see_through(each, groups) for each in node.inputs):
            self._once(node, node.inputs, groups)
        elif node.type == "GROUP" and node.node_tree is not None and is_see_through(socket, groups):
            self._enter(node, groups)
        elif node.type == "BSDF_PRINCIPLED" and is_by_place(node.inputs["Alpha"], groups):
            self._lay(socket, shader, node.inputs["Alpha"].links[0].from_socket)
        elif node.type != "BSDF_PRINCIPLED" or node.inputs["Alpha"].is_linked:
            self._lay(socket, shader)
        elif node.inputs["Alpha"].default_value > 0.0:
            self._lay(socket, shader)

    def _once(self, node: Node, sockets: Any, groups: Groups) -> None:
        """What several nodes show is painted once."""
        key = (node.as_pointer(), "")
        if key not in self._done:
            self._done.add(key)
            for socket in sockets:
                self.paint(socket, groups)

    @staticmethod
    def _cuts_out(node: Node, groups: Groups) -> bool:
        """Whether a mix leaves holes: see-through on one side here and there, or throughout."""
        factor, *sides = node.inputs[:3]
        clear = [is_see_through(side, groups) for side in sides]
        if not any(clear):
            return False
        if is_by_place(factor, groups) or all(clear):
            return True
        return not factor.is_linked and factor.default_value in (0.0, 1.0)

    def _enter(self, node: Node, groups: Groups) -> None:
        key = (node.as_pointer(), "")
        if key in self._done:
            return
        self._done.add(key)
        for each in node.inputs:
            if each.type == "SHADER":
                self.paint(each, groups)
        node.node_tree = node.node_tree.copy()
        node.node_tree[PAINTED] = True
        inner = _Painter(node.node_tree, self._paint)
        for end in [each for each in node.node_tree.nodes if each.type == "GROUP_OUTPUT"]:
            for each in end.inputs:
                if each.type == "SHADER":
                    inner.paint(each, (*groups, node))

    def _lay(self, socket: Socket, shader: Socket, alpha: Socket | None = None) -> None:
        """Paint between a shader and a socket; where an alpha is given, as see-through as that says."""
        if self._group is None:
            self._group = self._new("ShaderNodeGroup", PAINT_NODE)
            self._group.node_tree = self._paint
            mean = self._new("ShaderNodeAttribute", MEAN_NODE)
            mean.attribute_type, mean.attribute_name = "OBJECT", MEAN
            self._tree.links.new(mean.outputs["Color"], self._group.inputs["Bare"])
            self._tree.links.new(mean.outputs["Alpha"], self._group.inputs["Has Bare"])
            light = self._new("ShaderNodeEmission", "Spade Light")
            self._tree.links.new(self._group.outputs["Light"], light.inputs["Color"])
            self._light = light.outputs[0]
        paint = self._light
        if alpha is not None:
            holes, clear = (
                self._new("ShaderNodeMixShader", "Spade Holes"),
                self._new("ShaderNodeBsdfTransparent", "Spade Hole"),
            )
            self._tree.links.new(alpha, holes.inputs[0])
            self._tree.links.new(clear.outputs[0], holes.inputs[1])
            self._tree.links.new(paint, holes.inputs[2])
            paint = holes.outputs[0]
        layer = self._new("ShaderNodeMixShader", LAYER)
        self._tree.links.new(self._group.outputs["Weight"], layer.inputs[0])
        self._tree.links.new(shader, layer.inputs[1])
        self._tree.links.new(paint, layer.inputs[2])
        self._tree.links.new(layer.outputs[0], socket)

    def _new(self, kind: str, name: str) -> Node:
        node = self._tree.nodes.new(kind)
        node.name = node.label = name
        return node
