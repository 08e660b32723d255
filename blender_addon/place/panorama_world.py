# SPDX-License-Identifier: GPL-3.0-or-later
"""A panorama as the scene's world: what it shows lies where the labels were taken, and its light falls on the scene.

It is a world of its own; the user's is kept, and comes back when the picture is taken away.
"""

from __future__ import annotations

import math
from typing import Any

import bpy
import numpy as np
from mathutils import Vector

from ..contract.errors import BadOptionError
from ..properties import settings
from ..style.reference import rgb_of
from .colors import colors_group
from .image import provenance_of, tag_image
from .material import exposure_of

_PICTURE, _COLORS, _TURN, _LIGHT, _BRIGHT = (
    "Spade Picture",
    "Spade Colours",
    "Spade Turn",
    "Spade Light",
    "Spade Bright",
)
STOPS, BRIGHT_FROM = 3.0, 0.522
"""A picture of a plain view ends at white: as light, what is brighter than this (linear) is more by so many stops."""
SUN = "Spade Sun"


def place_panorama(scene: bpy.types.Scene, image: bpy.types.Image) -> bpy.types.World:
    """Show a panorama as the scene's world."""
    spade = settings(scene)
    world = scene.world if panorama_of(scene) is not None else None
    if world is None:
        spade.world_before = scene.world
        world = _new_world()
        scene.world = world
    nodes: Any = world.node_tree.nodes
    nodes[_PICTURE].image = image
    yaw = float(provenance_of(image).get("yaw", 0.0))
    nodes[_TURN].inputs["Rotation"].default_value = (0.0, 0.0, -math.pi / 2 - yaw)
    match_world(scene)
    return world


def panorama_of(scene: bpy.types.Scene) -> bpy.types.Image | None:
    """The panorama that is the scene's world."""
    world = scene.world
    node = world.node_tree.nodes.get(_PICTURE) if world is not None and world.node_tree else None
    return node.image if node is not None else None


def remove_panorama(scene: bpy.types.Scene) -> None:
    """Bring back the world that the scene had."""
    if panorama_of(scene) is None:
        return
    ours, scene.world = scene.world, settings(scene).world_before
    settings(scene).world_before = None
    if ours is not None and not ours.users:
        bpy.data.worlds.remove(ours)


def match_world(scene: bpy.types.Scene) -> None:
    """Let the panorama come out as it was painted through the scene's view and exposure of now, as on a backdrop."""
    image = panorama_of(scene)
    if image is None:
        return
    tree = scene.world.node_tree
    nodes: Any = tree.nodes
    group = colors_group(scene)
    tag_image(image, scene, raw=group is not None)
    source = nodes[_PICTURE]
    if group is not None:
        source = nodes.get(_COLORS) or tree.nodes.new("ShaderNodeGroup")
        if source.node_tree != group:
            source.name, source.node_tree = _COLORS, group
            tree.links.new(nodes[_PICTURE].outputs["Color"], source.inputs[0])
    scale, grey = nodes["Spade Scale"].inputs[0], nodes["Spade Grey"].inputs[0]
    for target in (nodes[_LIGHT].inputs["Color"], scale, grey):
        if not target.links or target.links[0].from_node != source:
            tree.links.new(source.outputs[0], target)
    for name in (_LIGHT, _BRIGHT):
        _set(nodes[name].inputs["Strength"], 1.0 / exposure_of(scene))
    # The inverse of a view with a shoulder is as wide as light; what a plain view shows ends at white.
    _set(nodes["Spade Stops"].inputs["To Max"], 0.0 if group is not None else STOPS)


def _set(socket: Any, value: float) -> None:
    """Every write makes Blender update the scene: none where nothing changes."""
    if abs(socket.default_value - value) > 1e-6 * max(abs(value), 1e-6):
        socket.default_value = value


def add_sun(scene: bpy.types.Scene) -> bpy.types.Object:
    """A sun lamp by the brightest part of the panorama's sky; the one before makes room. Raises BadOptionError."""
    image = panorama_of(scene)
    if image is None:
        raise BadOptionError("The scene has no panorama.", "Place As Panorama, and generate.")
    direction, color = sun_in(rgb_of(image), float(provenance_of(image).get("yaw", 0.0)))
    sun = next((each for each in scene.objects if SUN in each), None)
    if sun is None:
        sun = bpy.data.objects.new(SUN, bpy.data.lights.new(SUN, "SUN"))
        sun[SUN] = True
        scene.collection.objects.link(sun)
        sun.data.energy, sun.data.angle = 3.0, math.radians(0.53)
    sun.rotation_mode = "XYZ"
    sun.rotation_euler = direction.to_track_quat("Z", "Y").to_euler()
    sun.data.color = color
    return sun


def sun_in(rgb: np.ndarray, yaw: float) -> tuple[Vector, tuple[float, float, float]]:
    """Where the brightest part of a panorama's upper half is, as a unit vector, and its colour, 0 to 1, linear.

    rgb: (H, W, 3) uint8. yaw: of the camera that it was taken by.
    """
    side = max(1, rgb.shape[0] // 64)
    rows, columns = rgb.shape[0] // 2 // side, rgb.shape[1] // side
    cells = rgb[: rows * side, : columns * side].reshape(rows, side, columns, side, 3).mean((1, 3)) / 255
    light = cells**2.2
    spread = light + np.roll(light, -1, 1) + np.roll(light, 1, 1)
    spread = spread + np.vstack([spread[:1], spread[:-1]]) + np.vstack([spread[1:], spread[-1:]])
    row, column = np.unravel_index((spread @ (0.2126, 0.7152, 0.0722)).argmax(), (rows, columns))
    elevation = math.pi / 2 - (row + 0.5) * side / rgb.shape[0] * math.pi
    azimuth = yaw + (0.5 - (column + 0.5) * side / rgb.shape[1]) * 2 * math.pi
    direction = Vector(
        (
            -math.sin(azimuth) * math.cos(elevation),
            math.cos(azimuth) * math.cos(elevation),
            math.sin(elevation),
        )
    )
    color = light[row, column] / max(float(light[row, column].max()), 1e-6)
    return direction, tuple(float(part) for part in color)  # type: ignore[return-value]


def _new_world() -> bpy.types.World:
    world = bpy.data.worlds.new("Spade Panorama")
    if world.node_tree is None:  # Blender 5 always has one
        world.use_nodes = True
    tree: Any = world.node_tree
    tree.nodes.clear()

    def node(kind: str, name: str = "") -> Any:
        made = tree.nodes.new(kind)
        made.name = name or made.name
        return made

    place, turn = node("ShaderNodeTexCoord"), node("ShaderNodeMapping", _TURN)
    picture = node("ShaderNodeTexEnvironment", _PICTURE)
    light, bright = node("ShaderNodeBackground", _LIGHT), node("ShaderNodeBackground", _BRIGHT)
    grey, stops = node("ShaderNodeRGBToBW", "Spade Grey"), node("ShaderNodeMapRange", "Spade Stops")
    stops.interpolation_type = "SMOOTHSTEP"
    stops.inputs["From Min"].default_value, stops.inputs["From Max"].default_value = BRIGHT_FROM, 1.0
    power, scale = node("ShaderNodeMath"), node("ShaderNodeVectorMath", "Spade Scale")
    power.operation, scale.operation = "POWER", "SCALE"
    power.inputs[0].default_value = 2.0
    ray, mix, output = node("ShaderNodeLightPath"), node("ShaderNodeMixShader"), node("ShaderNodeOutputWorld")
    tree.links.new(place.outputs["Generated"], turn.inputs["Vector"])
    tree.links.new(turn.outputs["Vector"], picture.inputs["Vector"])
    tree.links.new(grey.outputs[0], stops.inputs["Value"])
    tree.links.new(stops.outputs[0], power.inputs[1])
    tree.links.new(power.outputs[0], scale.inputs["Scale"])
    tree.links.new(scale.outputs[0], bright.inputs["Color"])
    tree.links.new(ray.outputs["Is Camera Ray"], mix.inputs[0])
    tree.links.new(bright.outputs[0], mix.inputs[1])
    tree.links.new(light.outputs[0], mix.inputs[2])
    tree.links.new(mix.outputs[0], output.inputs["Surface"])
    for column, each in enumerate(tree.nodes):
        each.location = (220.0 * (column % 6), -260.0 * (column // 6))
    return world
