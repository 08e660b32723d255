# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the labels that were given lie: on the things themselves, so that copies keep them.

An object, a material or a collection carries its class name as a custom property. Duplicating, appending, linking,
library overrides, undo and files take it along; scripts and other programs (glTF extras, USD) can write it, too.

A scene can have rules besides, which go before what things carry. They are for what the property cannot say: the label
of what cannot be written to (linked data, library overrides), and that of a thing which another scene shows with
another label. Files of earlier versions have rules only; `tidy` brings those onto the things.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, TypeAlias, TypeVar

import bpy

from ..properties import settings
from .projected import users_material

LABEL = "spade_label"
"""The custom property on labelled things: the name of a class."""

LabelTarget: TypeAlias = bpy.types.Object | bpy.types.Material | bpy.types.Collection
Labelled = TypeVar("Labelled", bpy.types.Object, bpy.types.Material, bpy.types.Collection)


def kind_of(target: LabelTarget) -> str:
    """OBJECT, MATERIAL or COLLECTION."""
    if isinstance(target, bpy.types.Object):
        return "OBJECT"
    return "MATERIAL" if isinstance(target, bpy.types.Material) else "COLLECTION"


class GivenLabels:
    """The class names given to things, as one scene sees them at one moment: build a new one after any change."""

    def __init__(self, scene: bpy.types.Scene):
        # Of two rules for one thing the first counts.
        self._rules = {rule.target: rule.class_name for rule in reversed(list(settings(scene).rules))}

    def of(self, target: LabelTarget) -> str | None:
        """The class name given to a thing; None where there is none. A projected material has its original's."""
        target = _own(target)
        if target is None:
            return None
        if target in self._rules:
            return self._rules[target] or None
        return _carried(target)

    def among(self, targets: Iterable[Labelled]) -> dict[Labelled, str]:
        """The class names of those that have one, in the order of `targets`."""
        if not self._rules:
            carried = ((each, _own(each)) for each in targets)
            return {
                each: name
                for each, own in carried
                if own is not None and LABEL in own and (name := _carried(own))
            }
        return {each: name for each in targets if (name := self.of(each))}


def write_labels(scene: bpy.types.Scene, labels: Mapping[LabelTarget, str | None]) -> None:
    """Give each thing this class name, None for no label, in a time proportional to the file and not to its square.

    Other scenes that show a thing with another label keep that one.
    """
    tidy(scene)
    before = GivenLabels(scene)
    own, others = _Rules(scene), _OtherScenes(scene)
    for shown, name in labels.items():
        if (target := _own(shown)) is None:
            continue
        if before.of(target) == name:
            continue
        if not _is_writable(target):
            own.set(target, name)
            continue
        others.keep(target, _carried(target))
        _carry(target, name)
        own.drop(target)
    own.write()
    others.write()


def tidy(scene: bpy.types.Scene) -> None:
    """Bring the scene's rules onto their things where these can carry them, and drop those of deleted things.

    A rule's pointer would keep a deleted object in the file.
    """
    if scene.library is not None or not settings(scene).rules:
        return
    rules, others = _Rules(scene), _OtherScenes(scene)
    for target, name in list(rules.names.items()):
        if _is_writable(target) and not others.show(target):
            _carry(target, name)
            rules.drop(target)
    placed = _placed_objects() if rules.names else set()
    for target in list(rules.names):
        if isinstance(target, bpy.types.Object) and target not in placed:
            rules.drop(target)
    rules.write()


class _Rules:
    """The rules of a scene, changed and then written at once: Blender's list removes one by moving all others."""

    def __init__(self, scene: bpy.types.Scene):
        self._stored = settings(scene).rules
        self.names: dict[LabelTarget, str] = {}
        for rule in self._stored:
            if rule.target is not None:
                self.names.setdefault(rule.target, rule.class_name)
        self._changed = len(self.names) != len(self._stored)

    def set(self, target: LabelTarget, name: str | None) -> None:
        """A rule; without a name it says that the thing has no label here, whatever it carries."""
        wanted = None if name is None and _carried(target) is None else name or ""
        if wanted is None:
            self.drop(target)
        elif self.names.get(target) != wanted:
            self.names[target] = wanted
            self._changed = True

    def drop(self, target: LabelTarget) -> None:
        if self.names.pop(target, None) is not None:
            self._changed = True

    def write(self) -> None:
        if not self._changed:
            return
        self._stored.clear()
        for target, name in self.names.items():
            rule = self._stored.add()
            rule.kind = kind_of(target)
            setattr(rule, rule.kind.lower(), target)
            rule.class_name = name


class _OtherScenes:
    """What the file's other scenes show: their labels are not to change with this scene's."""

    def __init__(self, scene: bpy.types.Scene):
        self._scenes = [other for other in bpy.data.scenes if other != scene and other.library is None]
        self._rules = {other: _Rules(other) for other in self._scenes}

    def show(self, target: LabelTarget) -> bool:
        return any(target in things for things in self._things.values())

    def keep(self, target: LabelTarget, name: str | None) -> None:
        """Let those that show a thing with this label go on doing so."""
        if name is None or not self._scenes:
            return
        for scene, things in self._things.items():
            if target in things and target not in self._rules[scene].names:
                self._rules[scene].set(target, name)

    def write(self) -> None:
        for rules in self._rules.values():
            rules.write()

    @cached_property
    def _things(self) -> dict[bpy.types.Scene, set[LabelTarget]]:
        return {scene: _things_of(scene) for scene in self._scenes}


def _things_of(scene: bpy.types.Scene) -> set[LabelTarget]:
    """The collections of a scene, their objects, and those objects' materials."""
    objects = _objects_in((scene.collection, *scene.collection.children_recursive))
    materials = {users_material(slot.material) for thing in objects for slot in thing.material_slots}
    return {*objects, *scene.collection.children_recursive, *materials} - {None}


def _placed_objects() -> set[bpy.types.Object]:
    """Every object that lies in some collection or scene: others were deleted."""
    return _objects_in((*bpy.data.collections, *(scene.collection for scene in bpy.data.scenes)))


def _objects_in(collections: Iterable[bpy.types.Collection]) -> set[bpy.types.Object]:
    # `all_objects` of one collection takes a time that grows with the square of what is in it.
    return {thing for collection in collections for thing in collection.objects}


def _own(target: Any) -> Any:
    """The thing that carries the label of another: a projected material's original, None where it has none."""
    return users_material(target) if isinstance(target, bpy.types.Material) else target


def _carried(target: LabelTarget) -> str | None:
    if LABEL not in target:  # much quicker than get() where there is none
        return None
    name = target[LABEL]
    return name if isinstance(name, str) and name else None  # users can type anything there


def _carry(target: LabelTarget, name: str | None) -> None:
    if name:
        target[LABEL] = name
    elif LABEL in target:
        del target[LABEL]


def _is_writable(target: LabelTarget) -> bool:
    """Whether a property that is written now is still there when the file is opened again."""
    return target.library is None and target.override_library is None
