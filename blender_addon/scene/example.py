# SPDX-License-Identifier: GPL-3.0-or-later
"""The example: a grey-box valley with a river, as a level designer blocks one out."""

from __future__ import annotations

import math

import bmesh
import bpy
import numpy as np
from mathutils import Matrix

from ..properties import settings
from . import terrain

_SEED = 11


def build_example(scene: bpy.types.Scene) -> None:
    """Add the valley to a scene: land, river, path, mountains, trees, rocks, a house, clouds, sun and camera.

    Everything goes into a new collection "Valley"; nothing that was there changes but the scene's camera and,
    where there is none, its world. No label is given: the names say what things are.
    """
    valley = _Builder(scene)
    valley.ground()
    valley.mountains()
    valley.woods()
    valley.rocks_and_bushes()
    valley.house()
    valley.clouds()
    valley.light_and_camera()
    settings(scene).match_camera = True


class _Builder:
    def __init__(self, scene: bpy.types.Scene):
        self.scene = scene
        self.random = np.random.default_rng(_SEED)
        self.root = bpy.data.collections.new("Valley")
        scene.collection.children.link(self.root)
        self._greys: dict[str, bpy.types.Material] = {}

    def ground(self) -> None:
        place = self._collection("Land")
        self._mesh("Grass land", terrain.land("Grass land"), place, "Grass", smooth=True)
        water = terrain.ribbon(
            "River", terrain.river_x, lambda y: terrain.river_half_width(y) + 6.0, 640.0, 0.0
        )
        self._mesh("River", water, place, "Water")
        path = terrain.ribbon("Dirt path", terrain.path_x, lambda y: 1.5 + 0.012 * y, 330.0, 0.18)
        self._mesh("Dirt path", path, place, "Dirt", smooth=True)

    def mountains(self) -> None:
        place = self._collection("Mountains")
        for name, span, y, height, seed, snow_line in (
            ("Mountain far", (-1500.0, 1500.0), (1350.0, 2100.0), 430.0, 5, 235.0),
            ("Mountain left", (-1250.0, -60.0), (640.0, 1150.0), 215.0, 2, 150.0),
            ("Mountain right", (60.0, 1300.0), (600.0, 1150.0), 190.0, 9, 140.0),
            ("Foothill left", (-560.0, 20.0), (420.0, 620.0), 48.0, 14, 900.0),
            ("Foothill right", (60.0, 640.0), (400.0, 600.0), 42.0, 17, 900.0),
        ):
            mesh = terrain.ridge(name, span, y, height, seed, snow_line)
            self._mesh(name, mesh, place, "Mountain", "Snow")

    def woods(self) -> None:
        """Trees as instances of two lollipops: framing ones by hand, the rest scattered on the slopes."""
        pine, broadleaf = self._pine(), self._broadleaf()
        place = self._collection("Trees")
        for x, y, size in (
            (-17.5, 29.0, 1.25),
            (-22.0, 38.0, 1.0),
            (-8.4, 50.0, 0.75),
            (25.0, 33.0, 1.15),
            (31.0, 47.0, 1.2),
        ):
            self._tree(pine, place, x, y, size)
        for x, y, size in ((20.5, 41.0, 0.9), (-30.0, 52.0, 1.1)):
            self._tree(broadleaf, place, x, y, size)
        wanted, tries = 230, 0
        while wanted and tries < 5000:
            tries += 1
            y = float(45.0 * math.exp(self.random.uniform(0.0, 2.35)))
            x = float(self.random.uniform(-1.0, 1.0) * (22.0 + 0.7 * y) + 0.12 * y)
            bank = abs(x - float(terrain.river_x(np.array(y)))) - float(terrain.river_half_width(np.array(y)))
            off_path = abs(x - float(terrain.path_x(np.array(y))))
            grove = float(terrain.noise(np.array(x), np.array(y), 55.0, 8, 2))
            if (
                bank < 7.0
                or off_path < 5.0 + 0.03 * y
                or grove < 0.12 - 0.006 * (bank - 8.0)
                or self._near_house(x, y)
            ):
                continue
            size = float(self.random.uniform(0.65, 1.2))
            self._tree(pine if self.random.random() < 0.68 else broadleaf, place, x, y, size)
            wanted -= 1

    def rocks_and_bushes(self) -> None:
        place = self._collection("Rocks")
        for index, (x, y, size) in enumerate(
            (
                (-3.5, 14.5, 1.3),
                (-5.4, 16.4, 0.8),
                (12.0, 19.0, 1.7),
                (13.7, 22.4, 1.0),
                (4.0, 47.0, 1.5),
                (-9.0, 64.0, 2.0),
            )
        ):
            self._boulder(f"Rock {index + 1}", place, x, y, size, "Rock", 0.75)
        place = self._collection("Bushes")
        for index, (x, y, size) in enumerate(
            (
                (16.5, 24.0, 1.3),
                (18.0, 27.0, 1.6),
                (-11.5, 22.0, 1.1),
                (-13.4, 25.0, 1.5),
                (24.0, 60.0, 2.0),
                (-20.0, 66.0, 2.2),
            )
        ):
            self._boulder(f"Bush {index + 1}", place, x, y, size, "Leaves", 0.8)

    def house(self) -> None:
        """A cottage on the left bank: walls and a roof."""
        place = self._collection("House")
        x, y = _HOUSE
        ground = self._height(x, y)
        frame = Matrix.Translation((x, y, ground)) @ Matrix.Rotation(math.radians(24.0), 4, "Z")
        box = bmesh.new()
        bmesh.ops.create_cube(
            box, size=1.0, matrix=Matrix.Translation((0, 0, 1.4)) @ Matrix.Diagonal((9.0, 6.0, 4.4, 1.0))
        )
        self._object("House walls", box, place, "Walls").matrix_world = frame
        roof = bmesh.new()
        eave, top = 3.5, 6.6
        low = [roof.verts.new((sx * 5.1, sy * 3.7, eave)) for sx, sy in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
        high = [roof.verts.new((sx * 5.1, 0.0, top)) for sx in (-1, 1)]
        for face in ((0, 1, 5, 4), (2, 3, 4, 5), (1, 2, 5), (3, 0, 4), (3, 2, 1, 0)):
            roof.faces.new([(low + high)[index] for index in face])
        self._object("House roof", roof, place, "Roof").matrix_world = frame

    def clouds(self) -> None:
        place = self._collection("Clouds")
        for index, (x, y, z, width) in enumerate(
            ((-790.0, 2600.0, 640.0, 520.0), (330.0, 2700.0, 790.0, 560.0), (1480.0, 2900.0, 690.0, 420.0))
        ):
            puffs = bmesh.new()
            for step in range(5):
                along = (step - 2) / 2.0
                lump = float(self.random.uniform(0.75, 1.1)) * (1.0 - 0.35 * abs(along))
                at = Matrix.Translation(
                    (along * width * 0.55, 0.0, float(self.random.uniform(-0.04, 0.04)) * width)
                )
                size = Matrix.Diagonal((width * 0.34 * lump, width * 0.2, width * 0.14 * lump, 1.0))
                bmesh.ops.create_icosphere(puffs, subdivisions=2, radius=1.0, matrix=at @ size)
            self._object(f"Cloud {index + 1}", puffs, place, "Cloud").location = (x, y, z)

    def light_and_camera(self) -> None:
        sun = bpy.data.objects.new("Sun", bpy.data.lights.new("Sun", "SUN"))
        sun.data.energy, sun.data.angle = 3.2, math.radians(3.0)
        sun.rotation_euler = (math.radians(52.0), math.radians(8.0), math.radians(-48.0))
        self.root.objects.link(sun)
        camera = bpy.data.objects.new("Valley camera", bpy.data.cameras.new("Valley camera"))
        camera.data.lens, camera.data.clip_end = 30.0, 5000.0
        camera.location = (0.0, -6.0, self._height(0.0, 0.0) + 6.5)
        camera.rotation_euler = (math.radians(88.4), 0.0, math.radians(-4.0))
        self.root.objects.link(camera)
        self.scene.camera = camera
        if self.scene.world is None:
            self.scene.world = bpy.data.worlds.new("Valley daylight")
            self.scene.world.color = (0.55, 0.6, 0.66)

    def _near_house(self, x: float, y: float) -> bool:
        return math.hypot(x - _HOUSE[0], y - _HOUSE[1]) < 14.0 or (
            abs(x - _HOUSE[0] * y / _HOUSE[1]) < 9 and y < _HOUSE[1]
        )

    def _pine(self) -> bpy.types.Collection:
        """A cone on a stick, 9 m high."""
        crown, trunk = bmesh.new(), bmesh.new()
        for radius, low, high in ((2.4, 1.6, 6.0), (1.7, 4.2, 9.0)):
            at = Matrix.Translation((0, 0, (low + high) / 2))
            bmesh.ops.create_cone(
                crown, cap_ends=True, segments=9, radius1=radius, radius2=0.0, depth=high - low, matrix=at
            )
        bmesh.ops.create_cone(
            trunk, segments=7, radius1=0.3, radius2=0.25, depth=2.4, matrix=Matrix.Translation((0, 0, 0.8))
        )
        return self._source("Pine", crown, trunk)

    def _broadleaf(self) -> bpy.types.Collection:
        """A ball on a stick, 8 m high."""
        crown, trunk = bmesh.new(), bmesh.new()
        at = Matrix.Translation((0, 0, 5.2)) @ Matrix.Diagonal((2.9, 2.9, 2.7, 1.0))
        bmesh.ops.create_icosphere(crown, subdivisions=2, radius=1.0, matrix=at)
        bmesh.ops.create_cone(
            trunk, segments=7, radius1=0.4, radius2=0.3, depth=3.6, matrix=Matrix.Translation((0, 0, 1.3))
        )
        return self._source("Broadleaf tree", crown, trunk)

    def _source(self, name: str, crown: bmesh.types.BMesh, trunk: bmesh.types.BMesh) -> bpy.types.Collection:
        """What tree instances are made from; not in the scene itself."""
        source = bpy.data.collections.new(name)
        self._object(f"{name} crown", crown, source, "Leaves")
        self._object(f"{name} trunk", trunk, source, "Bark")
        return source

    def _tree(
        self, source: bpy.types.Collection, place: bpy.types.Collection, x: float, y: float, size: float
    ) -> None:
        tree = bpy.data.objects.new(source.name, None)
        tree.instance_type, tree.instance_collection = "COLLECTION", source
        tree.empty_display_size = 0.5
        tree.location = (x, y, self._height(x, y) - 0.3)
        tree.rotation_euler.z = float(self.random.uniform(0.0, 6.28))
        tree.scale = (size * float(self.random.uniform(0.9, 1.1)),) * 2 + (size,)
        place.objects.link(tree)

    def _boulder(self, name: str, place, x: float, y: float, size: float, grey: str, squash: float) -> None:
        lump = bmesh.new()
        bmesh.ops.create_icosphere(lump, subdivisions=2, radius=size)
        for vertex in lump.verts:
            vertex.co *= 1.0 + 0.18 * float(self.random.uniform(-1.0, 1.0))
        boulder = self._object(name, lump, place, grey)
        boulder.location = (x, y, max(self._height(x, y), 0.0) + 0.3 * size)
        boulder.scale.z = squash

    def _height(self, x: float, y: float) -> float:
        return float(terrain.land_height(np.array(x), np.array(y)))

    def _collection(self, name: str) -> bpy.types.Collection:
        collection = bpy.data.collections.new(name)
        self.root.children.link(collection)
        return collection

    def _object(
        self, name: str, shape: bmesh.types.BMesh, place: bpy.types.Collection, *greys: str
    ) -> bpy.types.Object:
        mesh = bpy.data.meshes.new(name)
        shape.to_mesh(mesh)
        shape.free()
        return self._mesh(name, mesh, place, *greys)

    def _mesh(
        self, name: str, mesh: bpy.types.Mesh, place, *greys: str, smooth: bool = False
    ) -> bpy.types.Object:
        for grey in greys:
            mesh.materials.append(self._grey(grey))
        if smooth:
            mesh.shade_smooth()
        made = bpy.data.objects.new(name, mesh)
        place.objects.link(made)
        return made

    def _grey(self, name: str) -> bpy.types.Material:
        if name not in self._greys:
            material = bpy.data.materials.new(name)
            value = _GREYS[name]
            material.diffuse_color = (value, value, value, 1.0)
            self._greys[name] = material
        return self._greys[name]


# How bright the blocks are: enough difference to read the shapes, no colour.
_GREYS = {
    "Grass": 0.36, "Water": 0.62, "Dirt": 0.5, "Mountain": 0.26, "Snow": 0.85, "Leaves": 0.18, "Bark": 0.12,
    "Rock": 0.42, "Walls": 0.7, "Roof": 0.3, "Cloud": 0.92,
}  # fmt: skip
_HOUSE = (-24.0, 78.0)
