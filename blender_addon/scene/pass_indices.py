# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes into a render as pass indices, and what it means when it comes back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import bpy
import numpy as np

from ..contract.errors import TooLargeError
from ..contract.labels import LabelSet
from .label_table import LabelTable

LARGEST_INDEX = 32767
"""Of a pass index, in Blender."""
Indexed = bpy.types.Object | bpy.types.Material


@dataclass(frozen=True)
class PassIndices:
    """A pass index for every object and material in the file.

    All of them, because instances and geometry nodes may bring in any. 0 is Blender's "none", so indices count from 1.
    object_classes, material_classes: the class id by index, -1 where it has no label.
    """

    of: dict[Indexed, int]
    object_classes: np.ndarray
    material_classes: np.ndarray

    @classmethod
    def by_class(cls, table: LabelTable) -> PassIndices:
        """One index a class: few, whatever the scene's size."""
        used = sorted({*table.objects.values(), *table.materials.values()})
        codes = {class_id: index for index, class_id in enumerate(used, start=1)}
        ids: dict[Indexed, int] = {**table.objects, **table.materials}
        of = {thing: codes[ids[thing]] if thing in ids else 0 for thing in _everything()}
        classes = np.array([-1, *used], np.int64)
        return cls(of, classes, classes)

    @classmethod
    def by_object(cls, table: LabelTable) -> PassIndices:
        """One index an object, so that objects of one class can be told apart. Raises TooLargeError."""
        objects = list(bpy.data.objects)
        if len(objects) > LARGEST_INDEX:
            raise TooLargeError(
                f"The file has {len(objects)} objects; instance maps know at most {LARGEST_INDEX}.",
                "Render without instance maps, or purge what is not used.",
            )
        by_class = cls.by_class(table)
        of = {**by_class.of, **{thing: index for index, thing in enumerate(objects, start=1)}}
        classes = np.array([-1, *(table.objects.get(thing, -1) for thing in objects)], np.int64)
        return cls(of, classes, by_class.material_classes)

    @contextmanager
    def written(self) -> Iterator[None]:
        """Put them in, and what was there back on any exit.

        Only what differs is written: each write makes Blender update the user's scene.
        """
        changed: list[tuple[Indexed, int]] = []
        try:
            for thing, index in self.of.items():
                if thing.pass_index != index:
                    changed.append((thing, thing.pass_index))
                    thing.pass_index = index
            yield
        finally:
            for thing, index in changed:
                thing.pass_index = index

    def classes(self, material: np.ndarray, thing: np.ndarray) -> np.ndarray:
        """(H, W) class ids, -1 where no label is: the material's, else the object's. From (H, W) pass indices."""
        of_material = self.material_classes[material.astype(np.int32)]
        return np.where(of_material >= 0, of_material, self.object_classes[thing.astype(np.int32)])

    def label_map(
        self, classes: np.ndarray, sky: np.ndarray, label_set: LabelSet, background_class: str
    ) -> np.ndarray:
        """(H, W) ids of the set: the background's where sky is seen, the ignore id on surfaces without a label."""
        background = label_set.class_named(background_class) or label_set.match(background_class)
        label_map = np.where(classes >= 0, classes, label_set.ignore_id)
        if background is not None:
            label_map[sky & (classes < 0)] = background.id
        return label_set.check(label_map.astype(label_set.dtype))


def _everything() -> Iterator[Indexed]:
    yield from bpy.data.objects
    yield from bpy.data.materials
