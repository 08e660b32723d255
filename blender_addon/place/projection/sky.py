# SPDX-License-Identifier: GPL-3.0-or-later
"""The sky of projections, where nothing stands: in a world of ours, by direction, so that every view sees it where it
was painted, and it stays there when cameras turn. The scene's light is still that of the user's world.

The world is a copy of the user's, with the sky mixed over what cameras see of it; the user's comes back with the last
projection. A flat camera has no directions and in fog nothing is seen of a world: there the backdrop carries the sky.
"""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from ...bridge.sight import Projector
from ...properties import settings
from ...scene.projected import SKY, sky_of
from ...style.reference import rgb_of
from ..backdrop import has_world_fog
from ..colors import colors_group
from ..material import exposure_of
from ..node_builder import NodeBuilder
from .depth_image import depth_in_image
from .group import depth_in, fading, frame_place, image_node, picture_in, projector_in, within_frame

_BLENDED, _COLORS, _LIGHT = "Spade Blended", "Spade Colours", "Spade Light"
_SHOWN, _BEYOND, _GAMMA = "Spade Shown", "Spade Beyond", "Spade Beyond Gamma"
_NOTHING = 6e4  # metres: what is as far is sky; EEVEE may have read the depth as half floats, which end there
_FEATHER = 0.15  # of the frame, beyond its border, over which it goes over into what lies beyond
_STOPS = 16  # of the colours beyond, by height
_SAMPLES = 128  # across and down
_SRGB = 2.2


def lay_sky(scene: bpy.types.Scene) -> None:
    """Let the scene's world show the sky of its projections as they are now; without any, the user's world."""
    skies = [] if has_world_fog(scene) else _skies(scene)
    if not skies:
        remove_sky(scene)
        return
    spade = settings(scene)
    if sky_of(scene) is None:
        spade.world_before = scene.world
    ours = scene.world if sky_of(scene) is not None else None
    scene.world = _new_world(spade.world_before, skies)
    if ours is not None and not ours.users:
        bpy.data.worlds.remove(ours)
    fit_sky(scene)


def remove_sky(scene: bpy.types.Scene) -> None:
    """Bring back the user's world; one that was chosen meanwhile stays."""
    ours = sky_of(scene)
    if ours is None:
        return
    scene.world, settings(scene).world_before = settings(scene).world_before, None
    if not ours.users:
        bpy.data.worlds.remove(ours)


def fit_sky(scene: bpy.types.Scene) -> None:
    """Let the sky come out as it was painted through the scene's view and exposure of now, or not at all."""
    ours = sky_of(scene)
    if ours is None:
        return
    tree: Any = ours.node_tree
    nodes, group = tree.nodes, colors_group(scene)
    source = nodes[_BLENDED]
    if group is not None:
        source = nodes[_COLORS]
        if source.node_tree != group:
            source.node_tree = group
        if not source.inputs[0].is_linked:
            tree.links.new(nodes[_BLENDED].outputs[1], source.inputs[0])
    color = nodes[_LIGHT].inputs["Color"]
    if not color.links or color.links[0].from_node != source:
        out = next(socket for socket in source.outputs if socket.enabled)
        tree.links.new(out, color)
    _set(nodes[_LIGHT].inputs["Strength"], 1.0 / exposure_of(scene))
    _set(nodes[_SHOWN].outputs[0], float(settings(scene).show != "BLOCKS"))
    _set(nodes[_BEYOND].outputs[0], float(settings(scene).bare == "MEAN"))
    _set(nodes[_GAMMA].inputs["Gamma"], 1.0 if group is not None else _SRGB)


def colors_by_height(
    rgb: np.ndarray, depth: np.ndarray, projector: Projector
) -> list[tuple[float, np.ndarray]]:
    """The mean colours of what is sky in a picture, each with the height that it has, from below upwards.

    rgb: (H, W, 3) uint8. depth: (h, w) metres. Heights are sines of the elevation, -1 to 1; colours (3,), 0 to 1, as a
    picture's bytes are. Empty without any sky.
    """
    places = (np.indices((_SAMPLES, _SAMPLES)) + 0.5) / _SAMPLES
    rows, columns = places.reshape(2, -1)
    far = _at(depth, rows, columns) >= _NOTHING
    if not far.any():
        return []
    rows, columns = rows[far], columns[far]
    across, up = (
        (place - center) / scale
        for place, center, scale in zip((columns, 1 - rows), projector.center, projector.scale, strict=True)
    )
    ways = np.stack([across, up, -np.ones_like(up)], axis=1)
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    heights = ways @ np.array(projector.rows)[:, 2]
    colors = _at(rgb, rows, columns) / 255.0
    steps = np.linspace(heights.min(), heights.max() + 1e-6, _STOPS + 1)
    bins = np.digitize(heights, steps) - 1
    return [
        (float((steps[each] + steps[each + 1]) / 2), colors[bins == each].mean(0)) for each in np.unique(bins)
    ]


def _at(image: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """What an image, (H, W, ...), has at places from 0 to 1."""
    height, width = image.shape[:2]
    return image[(rows * height).astype(int), (columns * width).astype(int)]


def _skies(scene: bpy.types.Scene) -> list[Any]:
    """The projections whose pictures have a sky that the world can show."""
    return [each for each in settings(scene).projections if _is_sky(each) and _has_sky(each.group)]


def _is_sky(entry: Any) -> bool:
    if entry.group is None or entry.hidden or picture_in(entry.group) is None:
        return False
    projector = projector_in(entry.group)
    return not (projector.is_flat or projector.is_around)


def _has_sky(group: bpy.types.NodeTree) -> bool:
    depth = depth_in(group)
    return depth is not None and bool((depth_in_image(depth) >= _NOTHING).any())


def _new_world(users: bpy.types.World | None, skies: list[Any]) -> bpy.types.World:
    """A copy of the user's world that shows the skies to cameras."""
    world = users.copy() if users is not None else bpy.data.worlds.new("World")
    assert world is not None
    world.name = f"{users.name if users is not None else 'World'} (sky)"
    world.use_fake_user, world[SKY] = False, True
    if users is None or users.node_tree is None or not users.use_nodes:
        color: Any = users.color if users is not None else (0.0, 0.0, 0.0)
        _begin_plain(world, tuple(color))
    tree: Any = world.node_tree
    nodes, end = NodeBuilder(tree), _output(tree)
    sky, weight = _mixed(nodes, skies)
    nodes.new("ShaderNodeGroup").name = _COLORS
    sky.node.name = _BLENDED
    light = nodes.new("ShaderNodeBackground")
    light.name = _LIGHT
    ray, mix = nodes.new("ShaderNodeLightPath"), nodes.new("ShaderNodeMixShader")
    seen = nodes.math("MULTIPLY", ray.outputs["Is Camera Ray"], nodes.value(_SHOWN, 1.0))
    tree.links.new(nodes.math("MULTIPLY", seen, weight), mix.inputs[0])
    if end.inputs["Surface"].is_linked:
        tree.links.new(end.inputs["Surface"].links[0].from_socket, mix.inputs[1])
    tree.links.new(light.outputs[0], mix.inputs[2])
    tree.links.new(mix.outputs[0], end.inputs["Surface"])
    return world


def _begin_plain(world: bpy.types.World, color: tuple[float, ...]) -> None:
    """The nodes of a world of one colour: what Blender shows of one without nodes, or of none at all."""
    if world.node_tree is None or not world.use_nodes:  # Blender 5 always has them
        world.use_nodes = True
    tree: Any = world.node_tree
    tree.nodes.clear()
    plain = tree.nodes.new("ShaderNodeBackground")
    plain.inputs["Color"].default_value = (*color, 1.0)
    tree.links.new(plain.outputs[0], tree.nodes.new("ShaderNodeOutputWorld").inputs["Surface"])


def _output(tree: Any) -> Any:
    ends = [node for node in tree.nodes if node.type == "OUTPUT_WORLD"]
    return next((node for node in ends if node.is_active_output), None) or (
        ends[0] if ends else tree.nodes.new("ShaderNodeOutputWorld")
    )


def _mixed(nodes: NodeBuilder, skies: list[Any]) -> tuple[Any, Any]:
    """The colour of the sky by direction, and where, 0..1, it counts: the first projection before the others."""
    way = nodes.new("ShaderNodeTexCoord").outputs["Generated"]
    color = _beyond(nodes, way, skies[0].group)
    weight: Any = nodes.value(_BEYOND, 1.0)
    for entry in reversed(skies):
        picture, mask = _of_picture(nodes, way, entry.group)
        color = nodes.mix(mask, color, picture)
        weight = nodes.math("MAXIMUM", weight, mask)
    return color, weight


def _of_picture(nodes: NodeBuilder, way: Any, group: bpy.types.NodeTree) -> tuple[Any, Any]:
    """What a projection's picture shows in a direction, and whether that is its sky, fading beyond its frame."""
    projector, picture, depth = projector_in(group), picture_in(group), depth_in(group)
    assert picture is not None and depth is not None
    x, y, z = (nodes.dot(way, row[:3]) for row in projector.rows)
    ahead = nodes.math("MULTIPLY", z, -1.0)
    u, v = frame_place(nodes, projector, x, y, ahead)
    shown = image_node(nodes, "Image", SKY, picture, "Linear", within_frame(nodes, u, v))
    mask = fading(nodes, u, v, _FEATHER, _FEATHER)
    is_sky = nodes.math("GREATER_THAN", _farthest(nodes, depth, u, v), _NOTHING)
    for condition in (nodes.math("GREATER_THAN", ahead, 0.0), is_sky):
        mask = nodes.math("MULTIPLY", mask, condition)
    return shown, mask


def _farthest(nodes: NodeBuilder, depth: bpy.types.Image, u: Any, v: Any) -> Any:
    """How far was seen at a place, or half a texel from it: a pixel's centre may lie where four texels meet."""
    size: Any = depth.size
    found: Any = 0.0
    for across, up in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
        place = [nodes.math("ADD", u, across / 2 / size[0]), nodes.math("ADD", v, up / 2 / size[1]), 0.0]
        far = image_node(nodes, "Image", SKY, depth, "Closest", nodes.vector(place))
        found = nodes.math("MAXIMUM", far, found)
    return found


def _beyond(nodes: NodeBuilder, way: Any, group: bpy.types.NodeTree) -> Any:
    """The colour of what no picture shows, by its height."""
    picture, depth = picture_in(group), depth_in(group)
    assert picture is not None and depth is not None
    split, ramp = nodes.new("ShaderNodeSeparateXYZ"), nodes.new("ShaderNodeValToRGB")
    nodes.tree.links.new(way, split.inputs[0])
    nodes.tree.links.new(nodes.math("MULTIPLY_ADD", split.outputs[2], 0.5, 0.5), ramp.inputs[0])
    stops = colors_by_height(rgb_of(picture), depth_in_image(depth), projector_in(group))
    elements = ramp.color_ramp.elements
    while len(elements) > 1:
        elements.remove(elements[0])
    for index, (height, color) in enumerate(stops):
        element = elements[0] if index == 0 else elements.new(height / 2 + 0.5)
        element.position, element.color = height / 2 + 0.5, (*map(float, color), 1.0)
    gamma = nodes.new("ShaderNodeGamma")
    gamma.name = _GAMMA
    nodes.tree.links.new(ramp.outputs[0], gamma.inputs[0])
    return gamma.outputs[0]


def _set(socket: Any, value: float) -> None:
    """Every write makes Blender update the scene: none where nothing changes."""
    if abs(socket.default_value - value) > 1e-6 * max(abs(value), 1e-6):
        socket.default_value = value
