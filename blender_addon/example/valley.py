# SPDX-License-Identifier: GPL-3.0-or-later
"""The example: a grey-box valley as a level designer blocks one out, with names that labels can go by."""

from __future__ import annotations

import math
from collections.abc import Sequence

import bpy
import numpy as np
from bmesh.types import BMesh

from . import blocks, terrain

_SEED = 11

# x, y in metres, and size: the trees that frame the view; the rest of the woods is scattered.
_FRAMING_PINES = (
    (-17.5, 29.0, 1.25),
    (-22.0, 38.0, 1.0),
    (-8.4, 50.0, 0.75),
    (25.0, 33.0, 1.15),
    (31.0, 47.0, 1.2),
)
_FRAMING_BROADLEAVES = ((20.5, 41.0, 0.9), (-30.0, 52.0, 1.1))
_SCATTERED_TREES = 230
_ROCKS = (
    (-3.5, 14.5, 1.3),
    (-5.4, 16.4, 0.8),
    (12.0, 19.0, 1.7),
    (13.7, 22.4, 1.0),
    (4.0, 47.0, 1.5),
    (-9.0, 64.0, 2.0),
)
_BUSHES = (
    (16.5, 24.0, 1.3),
    (18.0, 27.0, 1.6),
    (-11.5, 22.0, 1.1),
    (-13.4, 25.0, 1.5),
    (24.0, 60.0, 2.0),
    (-20.0, 66.0, 2.2),
)
_HOUSE = (-24.0, 78.0)
# x, y, z and width.
_CLOUDS = ((-790.0, 2600.0, 640.0, 520.0), (330.0, 2700.0, 790.0, 560.0), (1480.0, 2900.0, 690.0, 420.0))
# From x to x, from y to y, height, seed of its shape, height of the snow line.
_MOUNTAINS = {
    "Mountain far": ((-1500.0, 1500.0), (1350.0, 2100.0), 430.0, 5, 235.0),
    "Mountain left": ((-1250.0, -60.0), (640.0, 1150.0), 215.0, 2, 150.0),
    "Mountain right": ((60.0, 1300.0), (600.0, 1150.0), 190.0, 9, 140.0),
    "Foothill left": ((-560.0, 20.0), (420.0, 620.0), 48.0, 14, 900.0),
    "Foothill right": ((60.0, 640.0), (400.0, 600.0), 42.0, 17, 900.0),
}
# How bright the blocks are: enough difference to read the shapes, no colour.
_GREYS = {
    "Grass": 0.36,
    "Water": 0.62,
    "Dirt": 0.5,
    "Mountain": 0.26,
    "Snow": 0.85,
    "Leaves": 0.18,
    "Bark": 0.12,
    "Rock": 0.42,
    "Walls": 0.7,
    "Roof": 0.3,
    "Cloud": 0.92,
}


def build_valley(scene: bpy.types.Scene) -> None:
    """Add the valley to a scene: land, river, path, mountains, trees, rocks, a house, clouds, sun and camera.

    Everything goes into a new collection "Valley"; nothing that was there changes but the scene's camera and,
    where there is none, its world. No label is given: the names say what things are.
    """
    valley = _Valley(scene)
    valley.ground()
    valley.mountains()
    valley.woods()
    valley.rocks_and_bushes()
    valley.house()
    valley.clouds()
    valley.light_and_camera()


class _Valley:
    def __init__(self, scene: bpy.types.Scene):
        self.scene = scene
        self.random = np.random.default_rng(_SEED)
        self.root = bpy.data.collections.new("Valley")
        scene.collection.children.link(self.root)
        self._greys: dict[str, bpy.types.Material] = {}

    def ground(self) -> None:
        place = self._collection("Land")
        self._add(place, terrain.land("Grass land"), "Grass").data.shade_smooth()
        # Wider than the river: its bed lies below the water, so the banks cut the shore line.
        water = terrain.ribbon(
            "River", terrain.river_x, lambda y: terrain.river_half_width(y) + 6.0, 640.0, 0.0
        )
        self._add(place, water, "Water")
        path = terrain.ribbon("Dirt path", terrain.path_x, lambda y: 1.5 + 0.012 * y, 330.0, 0.18)
        self._add(place, path, "Dirt").data.shade_smooth()

    def mountains(self) -> None:
        place = self._collection("Mountains")
        for name, (span, depth, height, seed, snow_line) in _MOUNTAINS.items():
            self._add(place, terrain.ridge(name, span, depth, height, seed, snow_line), "Mountain", "Snow")

    def woods(self) -> None:
        """Trees as instances of two lollipops."""
        pine = self._source("Pine", *blocks.pine())
        broadleaf = self._source("Broadleaf tree", *blocks.broadleaf())
        place = self._collection("Trees")
        for spot in _FRAMING_PINES:
            self._tree(place, pine, *spot)
        for spot in _FRAMING_BROADLEAVES:
            self._tree(place, broadleaf, *spot)
        standing = 0
        while standing < _SCATTERED_TREES:
            y = 45.0 * math.exp(self.random.uniform(0.0, 2.35))
            x = self.random.uniform(-1.0, 1.0) * (22.0 + 0.7 * y) + 0.12 * y
            if _grows_here(x, y):
                kind = pine if self.random.random() < 0.68 else broadleaf
                self._tree(place, kind, x, y, self.random.uniform(0.65, 1.2))
                standing += 1

    def rocks_and_bushes(self) -> None:
        for name, spots, grey in (("Rock", _ROCKS, "Rock"), ("Bush", _BUSHES, "Leaves")):
            place = self._collection(f"{name}s" if name == "Rock" else "Bushes")
            for number, (x, y, size) in enumerate(spots, start=1):
                lump = self._add(
                    place, self._mesh(f"{name} {number}", blocks.boulder(size, self.random)), grey
                )
                lump.location = (x, y, max(_height(x, y), 0.0) + 0.3 * size)
                lump.scale.z = 0.78

    def house(self) -> None:
        """A cottage on the left bank."""
        place = self._collection("House")
        for name, shape in zip(("Walls", "Roof"), blocks.house(), strict=True):
            part = self._add(place, self._mesh(f"House {name.lower()}", shape), name)
            part.location = (*_HOUSE, _height(*_HOUSE))
            part.rotation_euler.z = math.radians(24.0)

    def clouds(self) -> None:
        place = self._collection("Clouds")
        for number, (*spot, width) in enumerate(_CLOUDS, start=1):
            mesh = self._mesh(f"Cloud {number}", blocks.cloud(width, self.random))
            self._add(place, mesh, "Cloud").location = spot

    def light_and_camera(self) -> None:
        light = bpy.data.lights.new("Sun", "SUN")
        light.energy, light.angle = 3.2, math.radians(3.0)
        sun = bpy.data.objects.new("Sun", light)
        sun.rotation_euler = (math.radians(52.0), math.radians(8.0), math.radians(-48.0))
        self.root.objects.link(sun)
        lens = bpy.data.cameras.new("Valley camera")
        lens.lens, lens.clip_end = 30.0, 5000.0
        camera = bpy.data.objects.new("Valley camera", lens)
        camera.location = (0.0, -6.0, _height(0.0, 0.0) + 6.5)
        camera.rotation_euler = (math.radians(88.4), 0.0, math.radians(-4.0))
        self.root.objects.link(camera)
        self.scene.camera = camera
        if self.scene.world is None:
            self.scene.world = _daylight()

    def _source(self, name: str, crown: BMesh, trunk: BMesh) -> bpy.types.Collection:
        """What tree instances are made from; not in the scene itself."""
        source = bpy.data.collections.new(name)
        self._add(source, self._mesh(f"{name} crown", crown), "Leaves")
        self._add(source, self._mesh(f"{name} trunk", trunk), "Bark")
        return source

    def _tree(
        self, place: bpy.types.Collection, source: bpy.types.Collection, x: float, y: float, size: float
    ) -> None:
        tree = bpy.data.objects.new(source.name, None)
        tree.instance_type, tree.instance_collection = "COLLECTION", source
        tree.empty_display_size = 0.5
        tree.location = (x, y, _height(x, y) - 0.3)
        tree.rotation_euler.z = self.random.uniform(0.0, math.tau)
        girth = size * self.random.uniform(0.9, 1.1)
        tree.scale = (girth, girth, size)
        place.objects.link(tree)

    def _collection(self, name: str) -> bpy.types.Collection:
        collection = bpy.data.collections.new(name)
        self.root.children.link(collection)
        return collection

    def _mesh(self, name: str, shape: BMesh) -> bpy.types.Mesh:
        mesh = bpy.data.meshes.new(name)
        shape.to_mesh(mesh)
        shape.free()
        return mesh

    def _add(self, place: bpy.types.Collection, mesh: bpy.types.Mesh, *greys: str) -> bpy.types.Object:
        for grey in greys:
            mesh.materials.append(self._grey(grey))
        made = bpy.data.objects.new(mesh.name, mesh)
        place.objects.link(made)
        return made

    def _grey(self, name: str) -> bpy.types.Material:
        if name not in self._greys:
            material = self._greys[name] = bpy.data.materials.new(name)
            material.diffuse_color = color = (_GREYS[name],) * 3 + (1.0,)
            _color_node(material.node_tree, "Base Color", color)
        return self._greys[name]


def _daylight() -> bpy.types.World:
    world = bpy.data.worlds.new("Valley daylight")
    world.color = (0.55, 0.6, 0.66)
    _color_node(world.node_tree, "Color", (*world.color, 1.0))
    return world


def _color_node(tree: bpy.types.NodeTree | None, name: str, color: Sequence[float]) -> None:
    """Blender 5 makes nodes with every material and world; in Blender 4 the plain colour counts."""
    for node in tree.nodes if tree else ():
        if name in node.inputs:
            node.inputs[name].default_value = color


def _height(x: float, y: float) -> float:
    return float(terrain.land_height(np.array(x), np.array(y)))


def _grows_here(x: float, y: float) -> bool:
    """In groves on the slopes, clear of the river, the path and the house and of the view of it."""
    at = np.array(x), np.array(y)
    bank = abs(x - terrain.river_x(at[1])) - terrain.river_half_width(at[1])
    off_path = abs(x - terrain.path_x(at[1]))
    grove = terrain.noise(*at, 55.0, 8, 2)
    by_the_house = math.hypot(x - _HOUSE[0], y - _HOUSE[1]) < 14.0
    before_the_house = y < _HOUSE[1] and abs(x - _HOUSE[0] * y / _HOUSE[1]) < 9.0
    dense_enough = grove >= 0.12 - 0.006 * (bank - 8.0)
    return bool(
        dense_enough
        and bank >= 7.0
        and off_path >= 5.0 + 0.03 * y
        and not by_the_house
        and not before_the_house
    )
