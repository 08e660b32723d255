# SPDX-License-Identifier: GPL-3.0-or-later
"""All projections of a scene as one group of nodes: the light that they throw, and where they reach at all.

The first one counts wherever it is seen, so through its camera the scene looks as the picture does; what it does not
reach the others share, by the angle at which they fall in; what they leave, those that were painted with nearer things
hidden, the fewer the sooner: two paintings of one place would blur each other. A projection is added here alone: the
materials stay as they are.
"""

from __future__ import annotations

from typing import Any

import bpy

from ...properties import settings
from ...scene.bands import BANDS
from ..colors import colors_group
from ..image import tag_image
from ..material import exposure_of
from ..node_builder import NodeBuilder
from .group import picture_in

_EXPOSURE, _SHOWN = "Spade Exposure", "Spade Shown"
_BARE, _GAMMA = "Spade Bare", "Spade Bare Gamma"
_SRGB = 2.2
_BLENDED, _COLORS, _LIGHT = "Spade Blended", "Spade Colours", "Spade Light"
_NOTHING = 1e-6
# So little of a projection is none: behind its border all is 0.
_SEEN = 1e-4


def paint_of(scene: bpy.types.Scene) -> bpy.types.NodeTree:
    """The scene's group, made if there is none.

    Its outputs are Light; Weight, 0 or 1, where there is any; and Reached, where that is of a projection. Its inputs
    are the colour Bare, as a picture's bytes, which is shown where none reaches, and Has Bare, 0 or 1.
    """
    tree = settings(scene).paint
    if tree is None:
        tree = bpy.data.node_groups.new(f"Spade Paint {scene.name}", "ShaderNodeTree")
        assert tree is not None
        sockets: Any = tree.interface
        for way, names in (("INPUT", ("Bare", "Has Bare")), ("OUTPUT", ("Light", "Weight", "Reached"))):
            for name in names:
                kind = "Color" if name in ("Bare", "Light") else "Float"
                sockets.new_socket(name, in_out=way, socket_type=f"NodeSocket{kind}")
        settings(scene).paint = tree
    return tree


def mix_projections(scene: bpy.types.Scene) -> None:
    """Make the nodes of the scene's group anew, of its projections as they are now."""
    tree = paint_of(scene)
    tree.nodes.clear()
    nodes = NodeBuilder(tree)
    ranks: list[list[Any]] = [[] for _ in range(2 + BANDS)]
    for number, entry in enumerate(settings(scene).projections):
        node = nodes.new("ShaderNodeGroup")
        node.node_tree = entry.group
        ranks[1 + entry.hidden if entry.hidden else min(number, 1)].append(node)
    color: Any = (0.0, 0.0, 0.0)
    reach: Any = 0.0
    for projections in filter(None, ranks):
        light, mask = _shared(nodes, projections)
        left = nodes.math("SUBTRACT", 1.0, reach)
        more = nodes.math("MULTIPLY", left, mask)
        color = nodes.vector_math("ADD", color, nodes.scaled(light, more))
        reach = nodes.math("ADD", reach, more)
    reached = nodes.math("GREATER_THAN", reach, _SEEN)
    painted = nodes.scaled(color, nodes.math("DIVIDE", reached, nodes.math("MAXIMUM", reach, _NOTHING)))
    come = nodes.new("NodeGroupInput")
    bare, has_bare = (
        come.outputs["Bare"],
        nodes.math("MULTIPLY", come.outputs["Has Bare"], nodes.value(_BARE, 1.0)),
    )
    gamma = nodes.new("ShaderNodeGamma")
    gamma.name = _GAMMA
    tree.links.new(bare, gamma.inputs[0])
    not_reached = nodes.math("SUBTRACT", 1.0, reached)
    blended = nodes.vector_math("ADD", painted, nodes.scaled(gamma.outputs[0], not_reached))
    blended.node.name = _BLENDED
    nodes.new("ShaderNodeGroup").name = _COLORS
    light = nodes.scaled(blended, nodes.value(_EXPOSURE, 1.0))
    light.node.name = _LIGHT
    weight = nodes.math("MAXIMUM", reached, has_bare)
    leave = nodes.new("NodeGroupOutput")
    tree.links.new(light, leave.inputs["Light"])
    tree.links.new(nodes.math("MULTIPLY", weight, nodes.value(_SHOWN, 1.0)), leave.inputs["Weight"])
    tree.links.new(reached, leave.inputs["Reached"])
    fit_paint(scene)


def fit_paint(scene: bpy.types.Scene) -> None:
    """Let the pictures come out as they were painted through the scene's view and exposure of now, or not at all.

    What is in line is not written: every write makes Blender compile the materials again.
    """
    tree = settings(scene).paint
    if tree is None or _LIGHT not in tree.nodes:
        return
    group, nodes = colors_group(scene), tree.nodes
    for entry in settings(scene).projections:
        picture = picture_in(entry.group) if entry.group is not None else None
        if picture is not None:
            tag_image(picture, scene, raw=group is not None)
    source = nodes[_BLENDED]
    if group is not None:
        source = nodes[_COLORS]
        if source.node_tree != group:
            source.node_tree = group
        if not source.inputs[0].is_linked:
            tree.links.new(nodes[_BLENDED].outputs["Vector"], source.inputs[0])
    into = nodes[_LIGHT].inputs[0]
    if into.links[0].from_node != source:
        out = source.outputs["Vector"] if source == nodes[_BLENDED] else source.outputs[0]
        tree.links.new(out, into)
    _set(nodes[_EXPOSURE], 1.0 / exposure_of(scene))
    _set(nodes[_SHOWN], float(settings(scene).show != "BLOCKS"))
    _set(nodes[_BARE], float(settings(scene).bare == "MEAN"))
    # What a colour space does to a picture's bytes, nearly: as data they stay what they are.
    gamma, wanted = nodes[_GAMMA].inputs["Gamma"], 1.0 if group is not None else _SRGB
    if abs(gamma.default_value - wanted) > _NOTHING:
        gamma.default_value = wanted


def let_bytes_through(scene: bpy.types.Scene) -> None:
    """Let the group's Light be the mixed pictures' own numbers, whatever view and exposure are, and let it be shown."""
    tree = settings(scene).paint
    nodes = tree.nodes
    tree.links.new(nodes[_BLENDED].outputs["Vector"], nodes[_LIGHT].inputs[0])
    _set(nodes[_EXPOSURE], 1.0)
    _set(nodes[_SHOWN], 1.0)


def _set(node: Any, number: float) -> None:
    socket = node.outputs[0]
    if abs(socket.default_value - number) > 1e-6 * max(number, 1.0):
        socket.default_value = number


def _shared(nodes: NodeBuilder, projections: list[Any]) -> tuple[Any, Any]:
    """The light of projections of one rank, and where any of them is seen."""
    first, *others = projections
    if not others:
        return first.outputs["Color"], first.outputs["Mask"]
    light: Any = nodes.scaled(first.outputs["Color"], first.outputs["Weight"])
    weight, mask = first.outputs["Weight"], first.outputs["Mask"]
    for node in others:
        light = nodes.vector_math("ADD", light, nodes.scaled(node.outputs["Color"], node.outputs["Weight"]))
        weight = nodes.math("ADD", weight, node.outputs["Weight"])
        mask = nodes.math("MAXIMUM", mask, node.outputs["Mask"])
    return nodes.scaled(light, nodes.math("DIVIDE", 1.0, nodes.math("MAXIMUM", weight, _NOTHING))), mask
