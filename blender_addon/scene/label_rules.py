# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels on objects, materials and collections: giving them, reading them, and what still lacks one.

Precedence, the same here and in the label pass (`LabelTable` decides for both): the material under a pixel,
else its object, else the nearest collection the object is in (its own before that one's parents), else the
collection instance that shows the object.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import bpy

from ..contract.errors import BadLabelError
from ..contract.labels import LabelClass, LabelSet
from ..contract.legend import names_a_material
from ..label_set_choice import label_set_of
from ..properties import settings
from . import label_overview
from .given_labels import GivenLabels, LabelTarget, kind_of, write_labels
from .label_table import LabelTable, used_materials
from .visible import is_backdrop, rendered_collections, rendered_objects


@dataclass(frozen=True)
class Assignment:
    """A label that was given: `kind` is OBJECT, MATERIAL or COLLECTION."""

    kind: str
    target: LabelTarget
    class_name: str


def scene_label_set(scene: bpy.types.Scene) -> LabelSet:
    """The label set the scene uses. Raises BadLabelSetError when an imported one cannot be read."""
    return label_set_of(settings(scene))


def assign(scene: bpy.types.Scene, target: LabelTarget, class_name: str | None) -> None:
    """Label a thing, replacing its label; None takes its label away.

    Raises BadLabelError for a class that is not in the scene's label set.
    """
    assign_all(scene, [target], class_name)


def assign_all(scene: bpy.types.Scene, targets: Iterable[LabelTarget], class_name: str | None) -> None:
    """Label many things at once, as `assign` does each. Raises BadLabelError."""
    name = _class_of(scene_label_set(scene), class_name).name if class_name else None
    write_labels(scene, dict.fromkeys(targets, name))
    label_overview.forget()


def label_of(scene: bpy.types.Scene, target: LabelTarget) -> str | None:
    """The class a thing itself was labelled with; None where it has no label of its own."""
    return GivenLabels(scene).of(target)


def effective_label(scene: bpy.types.Scene, thing: bpy.types.Object) -> str | None:
    """The class an object shows where its materials have no label: its own, or its collections'."""
    label_set = scene_label_set(scene)
    class_id = LabelTable(scene, label_set).objects.get(thing)
    return next((entry.name for entry in label_set.classes if entry.id == class_id), None)


def unlabelled(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """The rendered objects (sources of collection instances included) of which some surface has no label."""
    return LabelTable(scene, scene_label_set(scene)).unlabelled()


def auto_assign(scene: bpy.types.Scene, overwrite: bool = False) -> list[Assignment]:
    """Label collections, objects and materials whose names say what they are; returns what was given.

    Labels that are there stay unless `overwrite`. An object gets a label of its own only where its collection
    does not already say the same. A material gets one where it tells parts of an object apart, or where the
    object's name says nothing: on a one-material object that is named, the name counts.
    """
    given = _Given(scene, overwrite)
    for collection in rendered_collections(scene):
        entry = given.meant_by(collection.name)
        if entry and collection != scene.collection and not is_backdrop(collection):
            given.offer(collection, entry)

    objects = rendered_objects(scene)
    given.write()
    inherited = LabelTable(scene, given.label_set).objects
    named: set[bpy.types.Object] = set()
    for thing in objects:
        entry = given.meant_by(thing.name) or (thing.data and given.meant_by(thing.data.name))
        if entry:
            named.add(thing)
            if inherited.get(thing) != entry.id:
                given.offer(thing, entry)

    given.write()
    labelled = LabelTable(scene, given.label_set).objects
    for material, users in _material_users(objects).items():
        entry = given.meant_by(material.name)
        alone_on_named = all(thing in named and len(used_materials(thing)) == 1 for thing in users)
        says_little = names_a_material(material.name) and all(thing in labelled for thing in users)
        if entry and not alone_on_named and not says_little:
            given.offer(material, entry)
    given.write()
    _offer_to_hosts_and_volumes(given, LabelTable(scene, given.label_set))
    given.write()
    label_overview.forget()
    return given.assignments


class _Given:
    """Automatic labels in the making."""

    def __init__(self, scene: bpy.types.Scene, overwrite: bool):
        self.label_set = scene_label_set(scene)
        self.assignments: list[Assignment] = []
        self._scene, self._overwrite = scene, overwrite
        self._before = GivenLabels(scene)
        self._offered: dict[LabelTarget, str] = {}
        self._background = self.label_set.class_named(settings(scene).background_class)

    def meant_by(self, name: str) -> LabelClass | None:
        """The class a name speaks of."""
        entry = self.label_set.match(name)
        # "Background" is an alias of sky, and also where level artists keep their mountains.
        if entry is not None and entry == self._background:
            return self.label_set.match(re.sub("background", " ", name, flags=re.IGNORECASE))
        return entry

    def offer(self, target: LabelTarget, entry: LabelClass) -> None:
        """Give a label unless it is there already, or another one is to stay."""
        label = self._before.of(target)
        if label == entry.name or (label is not None and not self._overwrite):
            return
        self._offered[target] = entry.name
        self.assignments.append(Assignment(kind_of(target), target, entry.name))

    def write(self) -> None:
        """Put what was offered since the last time into the file."""
        write_labels(self._scene, self._offered)
        self._offered = {}


def _offer_to_hosts_and_volumes(given: _Given, table: LabelTable) -> None:
    """What has no surface of its own: a name of what scatters counts where those of its sources say nothing."""
    reached: set[bpy.types.Object] = set()
    for host, shown in table.rendered.instances.items():
        bare = [thing for thing in shown if thing not in reached and not table.covers(thing)]
        entry = given.meant_by(host.name) if bare and host not in table.objects else None
        if entry:
            given.offer(host, entry)
            reached.update(bare)
    for thing in table.rendered.objects:
        entry = given.meant_by(thing.name) if thing.type == "VOLUME" and thing not in table.objects else None
        if entry:
            given.offer(thing, entry)


def _class_of(label_set: LabelSet, class_name: str) -> LabelClass:
    entry = label_set.class_named(class_name)
    if entry is None:
        known = ", ".join(each.name for each in label_set.classes[:12])
        more = ", ..." if len(label_set.classes) > 12 else ""
        raise BadLabelError(
            f"The label set '{label_set.name}' has no class '{class_name}'.", f"Choose one of {known}{more}."
        )
    return entry


def _material_users(objects: list[bpy.types.Object]) -> dict[bpy.types.Material, list[bpy.types.Object]]:
    users: dict[bpy.types.Material, list[bpy.types.Object]] = {}
    for thing in objects:
        for material in used_materials(thing):
            if material is not None:
                users.setdefault(material, []).append(thing)
    return users
