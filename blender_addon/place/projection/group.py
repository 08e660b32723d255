# SPDX-License-Identifier: GPL-3.0-or-later
"""One projection as a group of nodes, shared by all materials: what it shows at a point of the world, and how much it
counts there.

The projector's numbers are frozen in it. A camera's own coordinates would be off where the camera is scaled, and the
paint would leave the walls when it moves.
"""

from __future__ import annotations

import json
from typing import Any

import bpy

from ...bridge.sight import Projector
from ..node_builder import NodeBuilder
from .depth_image import read_exactly

PICTURE, DEPTH = "Spade Picture", "Spade Depth"
_NUMBERS = "spade_projector"
"""Custom property of a group: the projector as JSON."""
# Of the frame, along its border, over which a projection fades out where another one goes on.
_FEATHER = 0.04
# How many of the picture's pixels it goes on beyond its frame, repeating the outermost: renderers look past the edge of
# their frame to filter it, and would mix in what is bare there.
_MARGIN_PIXELS = 4
# A surface is seen where it is not farther than the depth by more than rounding, and than it may slope within a texel.
_ROUNDING, _LEAST, _SLOPE = 0.002, 0.05, 0.75
# Seen flatter than this, cosine, a slope is taken for this one: it would allow anything.
_FLATTEST = 0.02


def new_group(
    name: str,
    projector: Projector,
    picture: bpy.types.Image,
    depth: bpy.types.Image,
    power: float,
    both: bool,
) -> bpy.types.NodeTree:
    """The group, with the outputs Color, Weight and Mask, both 0..1: Mask is where it can be seen, faded to the frame.

    power: how much less it counts where it falls in flatly: the cosine to the power of this. both: whether it also
    leaves out what stands nearer than its depth, as things do that were hidden when it was rendered.
    """
    tree = bpy.data.node_groups.new(name, "ShaderNodeTree")
    assert tree is not None
    sockets: Any = tree.interface  # the stubs know one type of socket only
    for output, kind in (("Color", "Color"), ("Weight", "Float"), ("Mask", "Float")):
        sockets.new_socket(output, in_out="OUTPUT", socket_type=f"NodeSocket{kind}")
    tree[_NUMBERS] = json.dumps(projector.to_facts())
    nodes = NodeBuilder(tree)
    geometry = nodes.new("ShaderNodeNewGeometry")
    kind = "Environment" if projector.is_around else "Image"
    where, ahead, mask = (_around if projector.is_around else _in_frame)(
        nodes, projector, geometry.outputs["Position"], picture
    )
    color = image_node(nodes, kind, PICTURE, picture, "Linear", where)
    far = image_node(nodes, kind, DEPTH, depth, "Closest", where)
    read_exactly(depth)
    cosine = _cosine(nodes, projector, geometry)
    texels: Any = depth.size
    for seen in _in_front(nodes, projector, tuple(texels), ahead, far, cosine, both):
        mask = nodes.math("MULTIPLY", mask, seen)
    weight = nodes.math("MULTIPLY", mask, nodes.math("POWER", cosine, power)) if power else mask
    leave = nodes.new("NodeGroupOutput")
    for result, socket in zip((color, weight, mask), leave.inputs, strict=False):
        tree.links.new(result, socket)
    return tree


def projector_in(tree: bpy.types.NodeTree) -> Projector:
    """The projector of a group."""
    return Projector.from_facts(json.loads(tree[_NUMBERS]))


def picture_in(tree: bpy.types.NodeTree) -> bpy.types.Image | None:
    """The picture that a group shows; None where somebody has deleted it."""
    return _node(tree, PICTURE).image


def depth_in(tree: bpy.types.NodeTree) -> bpy.types.Image | None:
    """The image that says how far its projector saw."""
    return _node(tree, DEPTH).image


def _node(tree: bpy.types.NodeTree, name: str) -> Any:
    return tree.nodes[name]


def _around(
    nodes: NodeBuilder, projector: Projector, position: Any, picture: bpy.types.Image
) -> tuple[Any, Any, Any]:
    """Where a point is seen all around, as an Environment Texture has it, how far it is, and that it counts."""
    x, y, z = _own_axes(nodes, projector, position)
    where = nodes.vector([nodes.math("MULTIPLY", each, -1.0) for each in (z, x)] + [y])
    length = nodes.new("ShaderNodeVectorMath")
    length.operation = "LENGTH"
    nodes.tree.links.new(where, length.inputs[0])
    distance = length.outputs["Value"]
    return where, distance, nodes.math("GREATER_THAN", distance, 0.0)


def _in_frame(
    nodes: NodeBuilder, projector: Projector, position: Any, picture: bpy.types.Image
) -> tuple[Any, Any, Any]:
    """Where a point is seen, 0..1 from the left and from below, how far ahead, and whether it is in the frame."""
    u, v, ahead = _seen(nodes, projector, position)
    pixels: Any = picture.size
    margin = _MARGIN_PIXELS / min(pixels)
    mask = nodes.math(
        "MULTIPLY", fading(nodes, u, v, margin, _FEATHER), nodes.math("GREATER_THAN", ahead, 0.0)
    )
    return within_frame(nodes, u, v), ahead, mask


def _own_axes(nodes: NodeBuilder, projector: Projector, position: Any) -> list[Any]:
    """A point by the projector's axes."""
    return [nodes.math("ADD", nodes.dot(position, row[:3]), row[3]) for row in projector.rows]


def _seen(nodes: NodeBuilder, projector: Projector, position: Any) -> tuple[Any, Any, Any]:
    """Where a point is seen, 0..1 from the left and from below, and how far ahead."""
    x, y, z = _own_axes(nodes, projector, position)
    ahead = nodes.math("MULTIPLY", z, -1.0)
    return (*frame_place(nodes, projector, x, y, ahead), ahead)


def frame_place(nodes: NodeBuilder, projector: Projector, x: Any, y: Any, ahead: Any) -> tuple[Any, Any]:
    """Where something is seen in a frame, 0..1 from the left and from below, by the projector's axes."""
    if not projector.is_flat:
        x, y = nodes.math("DIVIDE", x, ahead), nodes.math("DIVIDE", y, ahead)
    u, v = (
        nodes.math("MULTIPLY_ADD", value, scale, center)
        for value, scale, center in zip((x, y), projector.scale, projector.center, strict=True)
    )
    return u, v


def within_frame(nodes: NodeBuilder, u: Any, v: Any) -> Any:
    """Where an image is read for a place in a frame: beyond it, at its border.

    The image's extension alone would show the same. But places run to infinity along the plane through the projector,
    and where no graphics card draws, EEVEE's anisotropic filter (Mesa's llvmpipe) reads all that lies between two
    pixels there: it does not come to an end.
    """
    return nodes.vector([_clamped(nodes, u), _clamped(nodes, v), 0.0])


def image_node(
    nodes: NodeBuilder, kind: str, name: str, image: bpy.types.Image, interpolation: str, where: Any
) -> Any:
    """The colour that an image, flat or ("Environment") all around, has at a place; the outermost pixels go on."""
    node = nodes.new(f"ShaderNodeTex{kind}")
    node.name = node.label = name
    node.image, node.interpolation = image, interpolation
    if kind == "Image":  # Not CLIP: with it the outermost pixels are mixed with nothing.
        node.extension = "EXTEND"
    nodes.tree.links.new(where, node.inputs["Vector"])
    return node.outputs["Color"]


def _cosine(nodes: NodeBuilder, projector: Projector, geometry: Any) -> Any:
    """Of the angle at which the projector's light falls in: 1 straight on."""
    if projector.is_flat:
        back: Any = projector.backward
    else:
        way = nodes.vector_math("SUBTRACT", projector.place, geometry.outputs["Position"])
        back = nodes.vector_math("NORMALIZE", way)
    falls = nodes.math("ABSOLUTE", nodes.dot(geometry.outputs["True Normal"], back))
    return nodes.math("MAXIMUM", falls, _FLATTEST)


def fading(nodes: NodeBuilder, u: Any, v: Any, margin: float, feather: float) -> Any:
    """0 outside of the frame and a margin, 1 a feather further in, both parts of its sides, and in between between."""
    ways = [way for value in (u, v) for way in (value, nodes.math("SUBTRACT", 1.0, value))]
    nearest = ways[0]
    for way in ways[1:]:
        nearest = nodes.math("MINIMUM", nearest, way)
    return _clamped(nodes, nodes.math("MULTIPLY_ADD", nearest, 1.0 / feather, margin / feather))


def _clamped(nodes: NodeBuilder, value: Any) -> Any:
    return nodes.math("MINIMUM", nodes.math("MAXIMUM", value, 0.0), 1.0)


def _in_front(
    nodes: NodeBuilder,
    projector: Projector,
    size: tuple[int, int],
    ahead: Any,
    far: Any,
    cosine: Any,
    both: bool,
) -> list[Any]:
    """Numbers 0 or 1 whose product says whether a point is what the projector saw there, nothing behind it.

    How much farther it may be follows from the size of a texel there and from the slope: a steady allowance is too
    little for ground far away and too much for what is near.
    """
    squares = nodes.math("SUBTRACT", 1.0, nodes.math("MULTIPLY", cosine, cosine))
    slope = nodes.math("DIVIDE", nodes.math("SQRT", squares), cosine)
    texel = max(1.0 / (scale * texels) for scale, texels in zip(projector.scale, size, strict=True))
    allowed = nodes.math("MULTIPLY", slope, _SLOPE * texel)
    if not projector.is_flat:
        allowed = nodes.math("MULTIPLY", allowed, ahead)
    allowed = nodes.math("ADD", allowed, _LEAST)
    limit = nodes.math("ADD", nodes.math("MULTIPLY", far, 1.0 + _ROUNDING), allowed)
    found = [nodes.math("LESS_THAN", ahead, limit)]
    if both:
        nearest = nodes.math("SUBTRACT", nodes.math("MULTIPLY", far, 1.0 - _ROUNDING), allowed)
        found.append(nodes.math("GREATER_THAN", ahead, nearest))
    return found
