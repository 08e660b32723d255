# SPDX-License-Identifier: GPL-3.0-or-later
"""Another time of day for a copy of the scene: where the sun is, how strong and of what colour."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Euler, Vector

from ..scene.borrow import borrowed, set_if_known

_LOW, _HIGH = (1.0, 0.62, 0.36), (1.0, 0.98, 0.95)
"""Sunlight at the horizon and from 40 degrees on, linear."""


@dataclass(frozen=True)
class Daylight:
    """elevation and azimuth of the sun in radians, azimuth from +y towards +x; factors on sun and sky."""

    elevation: float
    azimuth: float
    sun: float
    sky: float

    @classmethod
    def sample(cls, random: np.random.Generator) -> Daylight:
        """Any hour but night."""
        return cls(
            elevation=math.radians(6.0 + 64.0 * float(random.random()) ** 1.3),
            azimuth=math.tau * float(random.random()),
            sun=math.exp(float(random.uniform(-0.5, 0.5))),
            sky=math.exp(float(random.uniform(-0.35, 0.35))),
        )

    @property
    def color(self) -> tuple[float, float, float]:
        """Of the sun: the lower, the warmer."""
        share = min(1.0, math.sin(self.elevation) / math.sin(math.radians(40.0)))
        red, green, blue = (low + (high - low) * share for low, high in zip(_LOW, _HIGH, strict=True))
        return red, green, blue


@contextmanager
def lit(copy: bpy.types.Scene, day: Daylight | None) -> Iterator[None]:
    """Give a copy of the scene this daylight; None leaves the lights as they are.

    The strongest sun is replaced; where there is none one is added, unless the world has a sky or a picture for it.
    The world's sky turns with the sun, and its light is scaled.
    """
    if day is None:
        yield
        return
    suns = [thing for thing in copy.objects if _is_sun(thing)]
    own = max(suns, key=lambda thing: thing.data.energy, default=None)
    made: list[bpy.types.ID] = []
    try:
        with ExitStack() as stack:
            if own is not None:
                stack.enter_context(borrowed(own, hide_render=True))
            if own is not None or not _has_own_light(copy.world):
                made += _add_sun(copy, own, day)
            if copy.world is not None:
                world = copy.world.copy()
                assert world is not None
                copy.world = world
                made.append(world)
                _turn_sky(world, day)
            yield
    finally:
        copy.world = None
        bpy.data.batch_remove(made)


def _is_sun(thing: bpy.types.Object) -> bool:
    return thing.type == "LIGHT" and thing.data.type == "SUN" and not thing.hide_render


def _has_own_light(world: bpy.types.World | None) -> bool:
    nodes = world.node_tree.nodes if world is not None and world.node_tree else ()
    return any(node.type in ("TEX_SKY", "TEX_ENVIRONMENT", "TEX_IMAGE") for node in nodes)


def _add_sun(copy: bpy.types.Scene, own: bpy.types.Object | None, day: Daylight) -> list[bpy.types.ID]:
    light = own.data.copy() if own is not None else bpy.data.lights.new("Sampled sun", "SUN")
    assert isinstance(light, bpy.types.SunLight)
    light.animation_data_clear()
    light.energy = (own.data.energy if own is not None else 3.0) * day.sun
    light.color = day.color
    set_if_known(light, use_temperature=False)
    sun = bpy.data.objects.new("Sampled sun", light)
    # A sun shines along its own -z: straight down unless turned.
    sun.rotation_euler = Euler((math.pi / 2 - day.elevation, 0.0, math.pi - day.azimuth), "XYZ")
    copy.collection.objects.link(sun)
    return [sun, light]


def _turn_sky(world: bpy.types.World, day: Daylight) -> None:
    nodes = world.node_tree.nodes if world.node_tree else ()
    if not nodes:
        world.color = [min(1.0, channel * day.sky) for channel in world.color]
    for node in nodes:
        if node.type == "TEX_SKY":
            towards = Vector((0.0, 1.0, 0.0))
            towards.rotate(Euler((day.elevation, 0.0, -day.azimuth)))
            set_if_known(node, sun_elevation=day.elevation, sun_rotation=day.azimuth, sun_direction=towards)
        elif node.type == "BACKGROUND" and not node.inputs["Strength"].is_linked:
            node.inputs["Strength"].default_value *= day.sky
        elif node.type == "MAPPING" and any(link.to_node.type == "TEX_ENVIRONMENT" for link in _links(node)):
            node.inputs["Rotation"].default_value[2] += day.azimuth


def _links(node: bpy.types.Node) -> list[bpy.types.NodeLink]:
    return [link for socket in node.outputs for link in socket.links or ()]
