# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading shader node trees, through the groups in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

# By the stubs nearly everything in a node tree may be None.
Tree: TypeAlias = Any
Node: TypeAlias = Any
Socket: TypeAlias = Any
Groups: TypeAlias = tuple[Node, ...]
"""The group nodes that lead to a tree, the outermost first."""

# Nodes that give another value at another point of a surface, besides the textures.
_BY_PLACE = frozenset(
    "UVMAP NEW_GEOMETRY ATTRIBUTE VERTEX_COLOR WIREFRAME CAMERA TANGENT BEVEL AMBIENT_OCCLUSION PARTICLE_INFO "
    "HAIR_INFO POINT_INFO SCRIPT".split()
)
# Nodes whose value is of the view's angle; the bumps in the normals they look at make no holes.
_BY_ANGLE = frozenset({"FRESNEL", "LAYER_WEIGHT"})


def trees_of(tree: Tree, groups: Groups = ()) -> Iterator[tuple[Tree, Groups]]:
    """An evaluated tree and those of its groups, with the way to each."""
    yield tree, groups
    for node in list(tree.nodes):
        if node.type == "GROUP" and node.node_tree is not None and node.node_tree.is_evaluated:
            yield from trees_of(node.node_tree, (*groups, node))


def is_by_place(socket: Socket, groups: Groups) -> bool:
    """Whether a socket's value differs from point to point: by a texture, an attribute, where the point lies."""
    return any(node.type.startswith("TEX_") or node.type in _BY_PLACE for node in _upstream(socket, groups))


def is_see_through(socket: Socket, groups: Groups) -> bool:
    """Whether the shader that goes into a socket may let one look through it straight."""
    return any(
        node.type == "BSDF_TRANSPARENT"
        or (node.type == "BSDF_PRINCIPLED" and _may_be_clear(node.inputs["Alpha"]))
        for node in _upstream(socket, groups)
    )


def _may_be_clear(alpha: Socket) -> bool:
    return alpha.is_linked or alpha.default_value < 1.0


def _upstream(socket: Socket, groups: Groups) -> Iterator[Node]:
    """Every node that a socket's value comes from, those inside groups and around them included."""
    pending: list[tuple[Socket, Groups]] = [(socket, groups)]
    seen: set[tuple] = set()
    while pending:
        into, way = pending.pop()
        for link in into.links:
            node, out = link.from_node, link.from_socket
            key = (node.as_pointer(), out.identifier, len(way))
            if key in seen:
                continue
            seen.add(key)
            yield node
            if node.type == "GROUP" and node.node_tree is not None:
                ends = [each for each in node.node_tree.nodes if each.type == "GROUP_OUTPUT"]
                pending += [(_named(end.inputs, out.identifier), (*way, node)) for end in ends]
            elif node.type == "GROUP_INPUT" and way:
                pending.append((_named(way[-1].inputs, out.identifier), way[:-1]))
            elif node.type not in _BY_ANGLE:
                pending += [(each, way) for each in node.inputs]


def _named(sockets, identifier: str) -> Socket:
    return next(each for each in sockets if each.identifier == identifier)
