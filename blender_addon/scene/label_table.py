# SPDX-License-Identifier: GPL-3.0-or-later
"""The scene's label rules resolved: which class id each object and each material stands for."""

from __future__ import annotations

from collections import deque

import bpy
import numpy as np

from ..contract.labels import LabelSet
from ..properties import settings
from .visible import rendered_collections


class LabelTable:
    """Class ids by object and by material, for one moment: build a new one after any change.

    `materials`: ids of labelled materials; they go before objects. `objects`: ids by their own rule,
    else by the nearest collection with a rule (of equally near ones the first given), else by a collection
    instance that shows them. What has no label is in neither.
    Rules whose class the label set does not know count as no rule.
    """

    def __init__(self, scene: bpy.types.Scene, label_set: LabelSet):
        self._ids = {entry.name.casefold(): entry.id for entry in label_set.classes}
        rules = settings(scene).rules
        self.materials: dict[bpy.types.Material, int] = self._by_rule(rules, "MATERIAL")
        self.objects: dict[bpy.types.Object, int] = _by_nearest_collection(self._by_rule(rules, "COLLECTION"))
        self.objects.update(self._by_rule(rules, "OBJECT"))
        _pass_to_instances(scene, self.objects)

    def __bool__(self) -> bool:
        """Whether anything is labelled at all."""
        return bool(self.objects or self.materials)

    def covers(self, thing: bpy.types.Object) -> bool:
        """Whether every surface of an object has a label, its own or its materials'."""
        if thing in self.objects:
            return True
        used = used_materials(thing)
        return bool(used) and all(material in self.materials for material in used)

    def _by_rule(self, rules, kind: str) -> dict:
        found = {}
        for rule in rules:
            class_id = self._ids.get(rule.class_name.casefold())
            if rule.kind == kind and rule.target is not None and class_id is not None:
                found.setdefault(rule.target, class_id)
        return found


def used_materials(thing: bpy.types.Object) -> list[bpy.types.Material | None]:
    """The materials an object's surfaces show, None for surfaces without one; unused slots do not count."""
    slots = [slot.material for slot in thing.material_slots]
    if not slots:
        return [None]
    if len(set(slots)) > 1 and isinstance(thing.data, bpy.types.Mesh) and thing.data.polygons:
        indices = np.empty(len(thing.data.polygons), np.int32)
        thing.data.polygons.foreach_get("material_index", indices)
        # Blender draws faces of an index past the slots with the last slot.
        slots = [slots[index] for index in np.unique(indices.clip(0, len(slots) - 1))]
    return list(dict.fromkeys(slots))


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


def _pass_to_instances(scene: bpy.types.Scene, objects: dict[bpy.types.Object, int]) -> None:
    """Give the label of a collection instance to those of its objects that have none."""
    # Parents come first, so a label also reaches instances inside instances.
    for collection in rendered_collections(scene):
        for instancer in collection.objects:
            if instancer.instance_collection is not None and instancer in objects:
                for thing in instancer.instance_collection.all_objects:
                    objects.setdefault(thing, objects[instancer])
