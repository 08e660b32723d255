# SPDX-License-Identifier: GPL-3.0-or-later
"""The labels given in a scene resolved: which class id each object and each material stands for."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import chain
from typing import TypeVar

import bpy
import numpy as np

from ..contract.labels import LabelSet
from .given_labels import GivenLabels, LabelTarget
from .in_steps import Steps, finished, portions
from .instances import evaluated_data, has_geometry_nodes
from .projected import users_material
from .visible import has_surface, rendered_in_steps, shows_itself, viewport_graph

Labelled = TypeVar("Labelled", bpy.types.Object, bpy.types.Material, bpy.types.Collection)


class LabelTable:
    """Class ids by object and by material, for one moment: build a new one after any change.

    `given`: the class names that things were given themselves. `materials`: ids of labelled materials; they go
    before objects. `objects`: ids by their own label, else by that of the nearest collection (of equally near ones
    the first in the outliner), else by that of an object that shows them as instances. What has no label is in
    neither.
    Labels whose class the label set does not know count as none.
    """

    def __init__(self, scene: bpy.types.Scene, label_set: LabelSet, graph: bpy.types.Depsgraph | None = None):
        """`graph`: in which instances are looked up, by default what the viewport has evaluated."""
        finished(self._resolve(scene, label_set, graph))

    @classmethod
    def in_steps(cls, scene: bpy.types.Scene, label_set: LabelSet) -> Steps[LabelTable]:
        """The same in steps, between which nothing in the file may be made or deleted."""
        table = cls.__new__(cls)
        yield from table._resolve(scene, label_set, None)
        return table

    def _resolve(
        self, scene: bpy.types.Scene, label_set: LabelSet, graph: bpy.types.Depsgraph | None
    ) -> Steps[None]:
        labels = GivenLabels(scene)
        materials = labels.among(bpy.data.materials)
        collections = labels.among(_in_outliner_order(scene))
        ids = {entry.name.casefold(): entry.id for entry in label_set.classes}
        self.given: dict[LabelTarget, str] = {**materials, **collections}
        self.materials: dict[bpy.types.Material, int] = _ids_of(materials, ids)
        self.objects: dict[bpy.types.Object, int] = _by_nearest_collection(_ids_of(collections, ids))
        yield
        things = list(bpy.data.objects)
        for portion in portions(things):
            objects = labels.among(portion)
            self.given |= objects
            self.objects.update(_ids_of(objects, ids))
            yield
        self._graph = graph or viewport_graph(scene)
        yield
        self.rendered = yield from rendered_in_steps(scene, self._graph)
        _pass_to_instances(self.rendered.instances, self.objects)

    def unlabelled(self) -> list[bpy.types.Object]:
        """The rendered objects (sources of instances included) of which some surface has no label."""
        return finished(self.unlabelled_in_steps())

    def unlabelled_in_steps(self) -> Steps[list[bpy.types.Object]]:
        """The same in steps."""
        found: list[bpy.types.Object] = []
        for portion in portions(self.rendered.objects):
            bare = [thing for thing in portion if thing not in self.objects]
            found += [thing for thing in bare if shows_itself(thing, self._graph) and not self.covers(thing)]
            yield
        return found

    def covers(self, thing: bpy.types.Object) -> bool:
        """Whether every surface of an object has a label, its own or its materials'."""
        if thing in self.objects:
            return True
        used = used_materials(thing)
        return bool(used) and all(material in self.materials for material in used)


def _ids_of(names: dict[Labelled, str], ids: dict[str, int]) -> dict[Labelled, int]:
    return {thing: ids[name.casefold()] for thing, name in names.items() if name.casefold() in ids}


def _in_outliner_order(scene: bpy.types.Scene) -> dict[bpy.types.Collection, None]:
    """Every collection of the file, the scene's own as they stand in the outliner first."""
    return dict.fromkeys((*scene.collection.children_recursive, *bpy.data.collections))


def has_labels(scene: bpy.types.Scene, label_set: LabelSet) -> bool:
    """Whether anything at all is labelled with a class of the set."""
    known = {entry.name.casefold() for entry in label_set.classes}
    labels = GivenLabels(scene)
    things = chain(bpy.data.objects, bpy.data.materials, bpy.data.collections)
    return any(name.casefold() in known for thing in things if (name := labels.of(thing)))


def used_materials(thing: bpy.types.Object) -> list[bpy.types.Material | None]:
    """The materials an object's surfaces show, None for surfaces without one; unused slots do not count.

    Those that geometry nodes bring are looked up in what the viewport has evaluated.
    """
    if has_geometry_nodes(thing):
        made = evaluated_data(thing, bpy.context.evaluated_depsgraph_get())
        surfaces = [_used_slots(data, _slots(thing, data)) for data in made if has_surface(data)]
        if surfaces:
            shown = (material and material.original for used in surfaces for material in used)
            return _users(shown)
    used = _used_slots(thing.data, [slot.material for slot in thing.material_slots])
    return _users(used + _strand_materials(thing) if thing.particle_systems else used)


def _users(materials: Iterable[bpy.types.Material | None]) -> list[bpy.types.Material | None]:
    """Each once, the user's own in place of those that show projections."""
    return list(dict.fromkeys(users_material(material) for material in materials))


def _strand_materials(thing: bpy.types.Object) -> list[bpy.types.Material | None]:
    """The materials of hair that particle systems draw as strands."""
    strands = [each.settings for each in thing.particle_systems if each.settings.render_type == "PATH"]
    slots = [slot.material for slot in thing.material_slots]
    # Past the slots Blender takes the last one.
    return [slots[min(each.material, len(slots)) - 1] if slots else None for each in strands]


def _slots(thing: bpy.types.Object, data: bpy.types.ID) -> list[bpy.types.Material | None]:
    """The materials of geometry that an object made; a slot can belong to the object itself."""
    materials = list(data.materials)
    for index, slot in enumerate(list(thing.material_slots)[: len(materials)]):
        if slot.link == "OBJECT":
            materials[index] = slot.material
    return materials


def _used_slots(data: bpy.types.ID | None, slots: list) -> list[bpy.types.Material | None]:
    """Of the materials in the slots of a mesh, those that its faces show; of other data all of them."""
    if not slots:
        return [None]
    if len(set(slots)) > 1 and isinstance(data, bpy.types.Mesh) and data.polygons:
        # Blender draws faces of an index past the slots with the last slot.
        slots = [slots[index] for index in _used_indices(data, len(slots))]
    return list(dict.fromkeys(slots))


def _used_indices(mesh: bpy.types.Mesh, count: int) -> list[int]:
    """Which of its `count` material slots the faces of a mesh use."""
    indices = np.zeros(len(mesh.polygons), np.int32)
    stored = mesh.attributes.get("material_index")
    if stored is not None and len(stored.data) == len(indices):
        stored.data.foreach_get(
            "value", indices
        )  # as fast as copying; by the polygons it takes 500 times as long
    elif stored is not None:  # in edit mode the attribute has no data
        mesh.polygons.foreach_get("material_index", indices)
    np.maximum(indices, 0, out=indices)
    last = count - 1
    used = [index for index in range(last) if (indices == index).any()]
    return [*used, last] if (indices >= last).any() else used


def _by_nearest_collection(ruled: dict[bpy.types.Collection, int]) -> dict[bpy.types.Object, int]:
    """Ids for objects in or below the ruled collections, the nearest rule first."""
    reached = dict(ruled)
    found: dict[bpy.types.Object, int] = {}
    # Breadth first from all rules at once: whoever reaches a collection first is its nearest rule above.
    pending = deque(ruled)
    while pending:
        collection = pending.popleft()
        for thing in collection.objects:
            found.setdefault(thing, reached[collection])
        for child in collection.children:
            if child not in reached:
                reached[child] = reached[collection]
                pending.append(child)
    return found


def _pass_to_instances(
    instances: dict[bpy.types.Object, list[bpy.types.Object]], objects: dict[bpy.types.Object, int]
) -> None:
    """Give the label of an object that shows others as instances to those of them that have none."""
    passed: set[int] = set()  # thousands of hosts share a list
    # Hosts come before what they show, so a label also reaches instances inside instances.
    for host, shown in instances.items():
        if host in objects and id(shown) not in passed:
            passed.add(id(shown))
            for thing in shown:
                objects.setdefault(thing, objects[host])
