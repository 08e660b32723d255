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
from typing import TypeAlias

import bpy

from ..contract.errors import BadLabelError
from ..contract.labels import LabelClass, LabelSet
from ..properties import SpadeLabelRule, label_set_of, settings
from .label_table import LabelTable, used_materials
from .visible import is_backdrop, rendered_collections, rendered_objects

LabelTarget: TypeAlias = bpy.types.Object | bpy.types.Material | bpy.types.Collection

# What things are made of: a house with a material "Wood" is no forest.
_SUBSTANCES = ("wood", "stone")


@dataclass(frozen=True)
class Assignment:
    """A label that was given: `kind` is OBJECT, MATERIAL or COLLECTION."""

    kind: str
    target: LabelTarget
    class_name: str


def scene_label_set(scene: bpy.types.Scene) -> LabelSet:
    """The label set the scene uses. Raises BadLabelSetError when an imported one cannot be read."""
    return label_set_of(settings(scene))


def kind_of(target: LabelTarget) -> str:
    """OBJECT, MATERIAL or COLLECTION."""
    if isinstance(target, bpy.types.Object):
        return "OBJECT"
    return "MATERIAL" if isinstance(target, bpy.types.Material) else "COLLECTION"


def assign(scene: bpy.types.Scene, target: LabelTarget, class_name: str | None) -> None:
    """Label a thing, replacing its label; None takes its label away.

    Raises BadLabelError for a class that is not in the scene's label set.
    """
    forget_missing(scene)
    rules = settings(scene).rules
    found = next((index for index, rule in enumerate(rules) if rule.target == target), None)
    if class_name:
        entry = _class_of(scene_label_set(scene), class_name)
        _write(rules[found] if found is not None else rules.add(), target, entry)
    elif found is not None:
        rules.remove(found)


def label_of(scene: bpy.types.Scene, target: LabelTarget) -> str | None:
    """The class a thing itself was labelled with; None where it has no label of its own."""
    return next((rule.class_name for rule in settings(scene).rules if rule.target == target), None)


def effective_label(scene: bpy.types.Scene, thing: bpy.types.Object) -> str | None:
    """The class an object shows where its materials have no label: its own, or its collections'."""
    label_set = scene_label_set(scene)
    class_id = LabelTable(scene, label_set).objects.get(thing)
    return next((entry.name for entry in label_set.classes if entry.id == class_id), None)


def unlabelled(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """The rendered objects (sources of collection instances included) of which some surface has no label."""
    table = LabelTable(scene, scene_label_set(scene))
    return [thing for thing in rendered_objects(scene) if not table.covers(thing)]


def auto_assign(scene: bpy.types.Scene, overwrite: bool = False) -> list[Assignment]:
    """Label collections, objects and materials whose names say what they are; returns what was given.

    Labels that are there stay unless `overwrite`. An object gets a rule of its own only where its collection
    does not already say the same. A material gets one where it tells parts of an object apart, or where the
    object's name says nothing: on a one-material object that is named, the name counts.
    """
    forget_missing(scene)
    given = _Given(scene, overwrite)
    for collection in rendered_collections(scene):
        if collection != scene.collection and not is_backdrop(collection):
            given.offer(collection, given.meant_by(collection.name))

    objects = rendered_objects(scene)
    inherited = LabelTable(scene, given.label_set).objects
    named: dict[bpy.types.Object, LabelClass] = {}
    for thing in objects:
        entry = given.meant_by(thing.name) or (thing.data and given.meant_by(thing.data.name))
        if entry:
            named[thing] = entry
            if inherited.get(thing) != entry.id:
                given.offer(thing, entry)

    labelled = LabelTable(scene, given.label_set).objects
    for material, users in _material_users(objects).items():
        entry = given.meant_by(material.name)
        alone_on_named = all(thing in named and len(used_materials(thing)) == 1 for thing in users)
        only_substance = given.meant_by(material.name, leave_out=_SUBSTANCES) is None
        says_little = only_substance and all(thing in labelled for thing in users)
        if entry and not alone_on_named and not says_little:
            given.offer(material, entry)
    return given.assignments


def forget_missing(scene: bpy.types.Scene) -> None:
    """Drop the rules of things that were deleted: a rule's pointer would otherwise keep them in the file."""
    rules = settings(scene).rules
    for index in reversed(range(len(rules))):
        target = rules[index].target
        deleted = isinstance(target, bpy.types.Object) and not target.users_collection
        if target is None or deleted:
            rules.remove(index)


class _Given:
    """Automatic labels in the making."""

    def __init__(self, scene: bpy.types.Scene, overwrite: bool):
        self.label_set = scene_label_set(scene)
        self.assignments: list[Assignment] = []
        self._overwrite = overwrite
        self._rules = settings(scene).rules
        self._by_target = {rule.target: index for index, rule in enumerate(self._rules)}
        self._background = self.label_set.class_named(settings(scene).background_class)

    def meant_by(self, name: str, leave_out: Iterable[str] = ()) -> LabelClass | None:
        """The class a name speaks of."""
        for word in leave_out:
            name = re.sub(word, " ", name, flags=re.IGNORECASE)
        entry = self.label_set.match(name)
        # "Background" is an alias of sky, and also where level artists keep their mountains.
        if entry is not None and entry == self._background and entry.name.casefold() not in name.casefold():
            return None
        return entry

    def offer(self, target: LabelTarget, entry: LabelClass | None) -> None:
        """Give a label unless there is none to give, it is there already, or another one is to stay."""
        index = self._by_target.get(target)
        if entry is None or (index is not None and not self._may_replace(index, entry)):
            return
        if index is None:
            self._by_target[target] = index = len(self._rules)
            self._rules.add()
        _write(self._rules[index], target, entry)
        self.assignments.append(Assignment(kind_of(target), target, entry.name))

    def _may_replace(self, index: int, entry: LabelClass) -> bool:
        return self._overwrite and self._rules[index].class_name != entry.name


def _class_of(label_set: LabelSet, class_name: str) -> LabelClass:
    entry = label_set.class_named(class_name)
    if entry is None:
        known = ", ".join(each.name for each in label_set.classes[:12])
        more = ", ..." if len(label_set.classes) > 12 else ""
        raise BadLabelError(
            f"The label set '{label_set.name}' has no class '{class_name}'.", f"Choose one of {known}{more}."
        )
    return entry


def _write(rule: SpadeLabelRule, target: LabelTarget, entry: LabelClass) -> None:
    rule.kind = kind_of(target)
    setattr(rule, rule.kind.lower(), target)
    rule.class_name = entry.name


def _material_users(objects: list[bpy.types.Object]) -> dict[bpy.types.Material, list[bpy.types.Object]]:
    users: dict[bpy.types.Material, list[bpy.types.Object]] = {}
    for thing in objects:
        for material in used_materials(thing):
            if material is not None:
                users.setdefault(material, []).append(thing)
    return users
