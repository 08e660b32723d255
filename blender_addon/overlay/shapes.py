# SPDX-License-Identifier: GPL-3.0-or-later
"""What a view shows, as arrays: each mesh once, and where and as which class it stands, however often."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Any

import bpy
import numpy as np

from ..scene.in_steps import Steps, finished
from ..scene.label_table import LabelTable
from ..scene.visible import is_backdrop

A_STEP = 500
"""Things that are read at once: so many take some milliseconds."""
_NO_MESHES = frozenset({"CURVES", "POINTCLOUD", "VOLUME"})
UNMARKED = -1
"""A surface whose material has no label: it shows the class of its object."""


@dataclass(frozen=True, eq=False)
class Shape:
    """A mesh. points: (N, 3) float32 metres. triangles: (M, 3) int32. marks: (N,) float32 places in the palette by
    material, or UNMARKED."""

    points: np.ndarray
    triangles: np.ndarray
    marks: np.ndarray


@dataclass(frozen=True, eq=False)
class Placed:
    """All that stands where: for each shape its matrices (n, 4, 4) float32, and its places in the palette (n,).

    unseen: the names of what has surfaces that are no mesh: hair, point clouds, volumes.
    """

    shapes: list[Shape]
    matrices: list[np.ndarray]
    classes: list[np.ndarray]
    unseen: tuple[str, ...] = ()


class ShapeReader:
    """Reads what a graph shows; meshes that it has read stay known until `forget`.

    of_render: what of it the render shows, in place of all that the viewport shows.
    """

    def __init__(self, of_render: bool = False) -> None:
        self._of_render = of_render
        self._known: dict[tuple, Shape] = {}

    def forget(self) -> None:
        """Shapes have changed."""
        self._known.clear()

    def read(self, graph: bpy.types.Depsgraph, table: LabelTable, palette: dict[int, int]) -> Placed:
        """`palette`: class ids to places in the palette, whose last one is for what has no label."""
        return finished(self.read_in_steps(lambda: graph, table, palette))

    def read_in_steps(
        self, graph: Callable[[], bpy.types.Depsgraph], table: LabelTable, palette: dict[int, int]
    ) -> Steps[Placed]:
        """The same in steps. What moves, comes or goes between them may be read as it was before, or not at all: then
        read again."""
        found = _Found(len(palette))
        rendered = frozenset(table.rendered.objects) if self._of_render else None
        start, more = 0, True
        while more:
            # Blender's own iterator would not outlive a change of its graph: to skip what was read is cheap.
            more = False
            for instance in islice(graph().object_instances, start, start + A_STEP):
                more = True
                if rendered is None or _is_rendered(instance, table.rendered.standing, rendered):
                    self._read_one(instance, table, palette, found)
            start += A_STEP
            yield
        # What has gone may not be mistaken for what comes to lie at its address.
        self._known = dict(found.shapes)
        return found.placed()

    def _read_one(self, instance: Any, table: LabelTable, palette: dict[int, int], found: _Found) -> None:
        thing: Any = instance.object
        mesh = thing.data
        if not isinstance(mesh, bpy.types.Mesh):
            if thing.type in _NO_MESHES:
                found.unseen[thing.original.name] = None
            return
        if not instance.show_self:
            return
        original = thing.original
        if is_backdrop(original):
            return
        key = self._key(thing, mesh, table, palette)
        if key not in found.shapes:
            if key not in self._known:
                self._known[key] = _shape(mesh, key[-1])
            found.shapes[key] = self._known[key]
        class_id = table.objects.get(original)
        found.add(key, instance.matrix_world, None if class_id is None else palette[class_id])

    @staticmethod
    def _key(
        thing: bpy.types.Object, mesh: bpy.types.Mesh, table: LabelTable, palette: dict[int, int]
    ) -> tuple:
        """What a shape is known by; the last part is the marks of its material slots."""
        marks: tuple[int, ...] = ()
        if table.materials:
            slots: list[Any] = [slot.material for slot in thing.material_slots]
            ids = [table.materials.get(material.original) if material else None for material in slots]
            if any(class_id is not None for class_id in ids):
                marks = tuple(UNMARKED if class_id is None else palette[class_id] for class_id in ids)
        return mesh.as_pointer(), len(mesh.vertices), len(mesh.polygons), marks


def _is_rendered(instance: Any, standing: frozenset[Any], rendered: frozenset[Any]) -> bool:
    if not instance.is_instance:
        return instance.object.original in standing
    return instance.object.original in rendered and instance.parent.original in rendered


class _Found:
    """What was read so far, by the key of its shape."""

    def __init__(self, none: int) -> None:
        """none: the place in the palette for what has no label."""
        self.shapes: dict[tuple, Shape] = {}
        self.unseen: dict[str, None] = {}
        self._matrices: dict[tuple, list[float]] = {}
        self._classes: dict[tuple, list[int]] = {}
        self._none = none

    def add(self, key: tuple, matrix: Any, place: int | None) -> None:
        flat = self._matrices.setdefault(key, [])
        for row in matrix:
            flat.extend(row)
        self._classes.setdefault(key, []).append(self._none if place is None else place)

    def placed(self) -> Placed:
        keys = [key for key, shape in self.shapes.items() if len(shape.triangles)]
        return Placed(
            [self.shapes[key] for key in keys],
            [np.array(self._matrices[key], np.float32).reshape(-1, 4, 4) for key in keys],
            [np.array(self._classes[key], np.float32) for key in keys],
            tuple(self.unseen),
        )


def _shape(mesh: bpy.types.Mesh, marks: tuple[int, ...]) -> Shape:
    mesh.calc_loop_triangles()
    count = len(mesh.loop_triangles)
    points = np.empty(len(mesh.vertices) * 3, np.float32)
    mesh.vertices.foreach_get("co", points)
    triangles = np.empty(count * 3, np.int32)
    mesh.loop_triangles.foreach_get("vertices", triangles)
    points, triangles = points.reshape(-1, 3), triangles.reshape(-1, 3)
    if len(set(marks)) <= 1:
        mark = marks[0] if marks else UNMARKED
        return Shape(points, triangles, np.full(len(points), mark, np.float32))
    slots = np.empty(count, np.int32)
    mesh.loop_triangles.foreach_get("material_index", slots)
    by_triangle = np.array(marks, np.float32)[slots.clip(0, len(marks) - 1)]
    # Where two materials meet, a point has two marks: every triangle gets points of its own.
    own = np.arange(count * 3, dtype=np.int32).reshape(-1, 3)
    return Shape(points[triangles.ravel()], own, np.repeat(by_triangle, 3))
