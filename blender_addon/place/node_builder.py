# SPDX-License-Identifier: GPL-3.0-or-later
"""Making nodes of shaders in a few words."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np


class NodeBuilder:
    """Makes nodes in a tree, and links what they take: values are numbers, or sockets of other nodes."""

    def __init__(self, tree: bpy.types.NodeTree):
        self.tree = tree

    def new(self, kind: str) -> Any:
        """A node; its type is one that the stubs know little of."""
        return self.tree.nodes.new(kind)

    def math(self, operation: str, *values: Any) -> Any:
        node = self.new("ShaderNodeMath")
        node.operation = operation
        for socket, value in zip(node.inputs, values, strict=False):
            self._give(socket, value)
        return node.outputs[0]

    def vector(self, values: list[Any]) -> Any:
        node = self.new("ShaderNodeCombineXYZ")
        for socket, value in zip(node.inputs, values, strict=False):
            self._give(socket, value)
        return node.outputs[0]

    def value(self, name: str, number: float) -> Any:
        """A number that can be found by its node's name, to be changed later."""
        node = self.new("ShaderNodeValue")
        node.name = node.label = name
        node.outputs[0].default_value = number
        return node.outputs[0]

    def dot(self, vector: Any, other: Any) -> Any:
        return self._vector_math("DOT_PRODUCT", vector, other).outputs["Value"]

    def vector_math(self, operation: str, *vectors: Any) -> Any:
        return self._vector_math(operation, *vectors).outputs["Vector"]

    def scaled(self, vector: Any, factor: Any) -> Any:
        node = self._vector_math("SCALE", vector)
        self._give(node.inputs["Scale"], factor)
        return node.outputs["Vector"]

    def lookup(self, image: bpy.types.Image, column: Any, row: Any) -> Any:
        node = self.new("ShaderNodeTexImage")
        node.image, node.extension, node.interpolation = image, "EXTEND", "Closest"
        self._give(node.inputs["Vector"], self.vector([column, row, 0.0]))
        return node.outputs["Color"]

    def mix(self, factor: Any, first: Any, second: Any) -> Any:
        node = self.new("ShaderNodeMix")
        node.data_type = "VECTOR"
        named = [socket for socket in node.inputs if socket.enabled]
        for socket, value in zip(named, (factor, first, second), strict=True):
            self._give(socket, value)
        return next(socket for socket in node.outputs if socket.enabled)

    def _vector_math(self, operation: str, *vectors: Any) -> Any:
        node = self.new("ShaderNodeVectorMath")
        node.operation = operation
        for socket, vector in zip(node.inputs, vectors, strict=False):
            self._give(socket, vector)
        return node

    def _give(self, socket: Any, value: Any) -> None:
        if isinstance(value, bpy.types.NodeSocket):
            self.tree.links.new(value, socket)
        else:
            socket.default_value = value.tolist() if isinstance(value, np.ndarray) else value
