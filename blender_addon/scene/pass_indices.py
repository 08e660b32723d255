# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes into a render as pass indices, and what it means when it comes back."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, field

import bpy
import numpy as np

from ..contract.labels import LabelSet
from .evaluated import evaluated_materials, evaluated_objects, original_of
from .label_sets import background_of
from .label_table import LabelTable

LARGEST_INDEX = 32767
"""Of a pass index, in Blender."""


@dataclass(frozen=True)
class PassIndices:
    """A pass index for every object and every labelled material in the file.

    All of them, because instances and geometry nodes may bring in any. No object has 0: that is where nothing is seen.
    object_classes, material_classes: the class id by index, -1 where it has no label.
    names: of the objects that have an index of their own, by it; where indices run out several share the last.
    """

    objects: dict[bpy.types.Object, int]
    materials: dict[bpy.types.Material, int]
    object_classes: np.ndarray
    material_classes: np.ndarray
    names: dict[int, str] = field(default_factory=dict)

    @classmethod
    def by_class(cls, table: LabelTable, first: Sequence[str] = ()) -> PassIndices:
        """One index a class, and one for each object without a label, and for each of these full names."""
        codes, classes = _codes(table)
        objects, of_others, names = {}, [], {}
        chosen = set(first)
        for thing in sorted(bpy.data.objects, key=lambda each: each.name_full not in chosen):
            class_id = table.objects.get(thing, -1)
            if class_id >= 0 and thing.name_full not in chosen:
                objects[thing] = codes[class_id]
                continue
            objects[thing] = index = min(len(classes) + len(of_others), LARGEST_INDEX)
            of_others.append(class_id)
            names.setdefault(index, thing.name_full)
        object_classes = np.concatenate([classes, np.array(of_others, np.int64)])
        return cls(objects, _material_codes(table, codes), object_classes, classes, names)

    @classmethod
    def by_object(cls, table: LabelTable, first: Sequence[str] = ()) -> PassIndices:
        """One index an object, so that objects of one class can be told apart; in files with more objects than there
        are indices `by_class`."""
        if len(bpy.data.objects) > LARGEST_INDEX:
            return cls.by_class(table, first)
        codes, classes = _codes(table)
        objects = {thing: index for index, thing in enumerate(bpy.data.objects, start=1)}
        object_classes = np.array([-1, *(table.objects.get(thing, -1) for thing in objects)], np.int64)
        names = {index: thing.name_full for thing, index in objects.items()}
        return cls(objects, _material_codes(table, codes), object_classes, classes, names)

    def write(self, graph: bpy.types.Depsgraph) -> None:
        """Put them into the copies that a render has evaluated."""
        for thing in evaluated_objects(graph):
            thing.pass_index = self.objects.get(original_of(thing), 0)
        for material in evaluated_materials(graph):
            material.pass_index = self.materials.get(original_of(material), 0)

    def classes(self, material: np.ndarray, thing: np.ndarray) -> np.ndarray:
        """(H, W) class ids, -1 where no label is: the material's, else the object's. From (H, W) pass indices."""
        of_material = self.material_classes[material.astype(np.int32)]
        return np.where(of_material >= 0, of_material, self.object_classes[thing.astype(np.int32)])

    def are_of(self, thing: np.ndarray, names: Container[str]) -> np.ndarray:
        """(H, W) bool: which of (H, W) pass indices are those of objects of these full names."""
        found = np.zeros(LARGEST_INDEX + 1, bool)
        found[[index for index, name in self.names.items() if name in names]] = True
        return found[thing.astype(np.int32)]

    def label_map(
        self, classes: np.ndarray, sky: np.ndarray, label_set: LabelSet, background_class: str
    ) -> np.ndarray:
        """(H, W) ids of the set: the background's where sky is seen, the ignore id on surfaces without a label."""
        background = background_of(label_set, background_class)
        label_map = np.where(classes >= 0, classes, label_set.ignore_id)
        if background is not None:
            label_map[sky & (classes < 0)] = background.id
        return label_set.check(label_map.astype(label_set.dtype))

    def unlabelled_shares(self, classes: np.ndarray, thing: np.ndarray) -> dict[str, float]:
        """How much of the picture each object without a label takes, 0..1, by name, the largest first."""
        indices, counts = np.unique(thing[(classes < 0) & (thing > 0)].astype(np.int32), return_counts=True)
        shares = {
            self.names[int(index)]: float(count) / thing.size
            for index, count in zip(indices, counts, strict=True)
        }
        return dict(sorted(shares.items(), key=lambda entry: -entry[1]))


def _codes(table: LabelTable) -> tuple[dict[int, int], np.ndarray]:
    """An index for each class id that is used, from 1 on, and the class ids by index."""
    used = sorted({*table.objects.values(), *table.materials.values()})
    return {class_id: index for index, class_id in enumerate(used, start=1)}, np.array([-1, *used], np.int64)


def _material_codes(table: LabelTable, codes: dict[int, int]) -> dict[bpy.types.Material, int]:
    return {material: codes[class_id] for material, class_id in table.materials.items()}
