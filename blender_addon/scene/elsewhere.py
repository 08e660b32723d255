# SPDX-License-Identifier: GPL-3.0-or-later
"""Going to another frame, or behind another camera: only in a copy of the file, which nobody looks at.

In the user's own Blender a change of frame would take back what is moved and not keyed yet, and call the handlers of
others.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import bpy

from ..bridge.sight import Projector
from .blocks import reveal_blocks
from .movement import NOBODY, Moved, Stands, moved_since, stands
from .parts import Part
from .projector import projector_of
from .view import FLAT, camera_data, camera_of


@dataclass(frozen=True)
class Elsewhere:
    """frame: of the animation; None for the one that the file was saved at. camera: full name of the one that looks, ""
    for the scene's, which may be another at each frame. rest: the frame at which things that move are at rest.
    """

    frame: int | None = None
    camera: str = ""
    rest: int | None = None


@dataclass(frozen=True, eq=False)
class Place:
    """What is there. camera: its name. projector: None where its picture is not flat. moved: since it was at rest."""

    camera: str
    projector: Projector | None
    moved: tuple[Moved, ...] = ()

    def to_facts(self) -> dict[str, Any]:
        """As JSON takes it."""
        projector = self.projector.to_facts() if self.projector is not None else None
        return {
            "camera": self.camera,
            "projector": projector,
            "moved": [each.to_facts() for each in self.moved],
        }

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> Place:
        """The inverse of `to_facts`."""
        projector = Projector.from_facts(facts["projector"]) if facts["projector"] is not None else None
        return cls(facts["camera"], projector, tuple(Moved.from_facts(each) for each in facts["moved"]))

    def in_sight(self, seen: Iterable[Part], now: Stands) -> Place:
        """The same with what has moved of the parts that are seen; of one that is not among `now` nobody knows it."""
        moved = {each.part: each for each in self.moved}
        found = [
            moved.get(part) or Moved(part, NOBODY, NOBODY)
            for part in seen
            if part in moved or part not in now
        ]
        return replace(self, moved=tuple(found))


def show_all(scene: bpy.types.Scene) -> None:
    """Let this copy's views evaluate what its renders show: where things are is read from there. All materials get
    nodes, without which copies of things are told apart by a second render only.
    """
    reveal_blocks(scene)
    for each in (*scene.objects, *scene.collection.children_recursive):
        if not each.hide_render and each.hide_viewport:
            each.hide_viewport = False
    for layer in scene.view_layers:
        _show_all_in(layer.layer_collection)
        for thing in layer.objects:
            thing.hide_set(False, view_layer=layer)
    for modifier in [each for thing in bpy.data.objects for each in thing.modifiers]:
        modifier.show_viewport = modifier.show_render
    for particles in bpy.data.particles:
        particles.display_percentage = 100
    for material in bpy.data.materials:
        if material.node_tree is None and not material.is_grease_pencil:
            material.use_nodes = True


def _show_all_in(layer: bpy.types.LayerCollection) -> None:
    layer.hide_viewport = False
    for each in layer.children:
        _show_all_in(each)


def go_there(scene: bpy.types.Scene, wanted: Elsewhere, rest: Stands) -> tuple[Place, Stands | None]:
    """Go there; returns also where all things are, where it is asked which have moved.

    rest: where things were at rest, filled where it is empty; the caller keeps it as long as the file.
    """
    if wanted.rest is not None and not rest:
        scene.frame_set(wanted.rest)
        rest |= stands(bpy.context.evaluated_depsgraph_get())
    if wanted.frame is not None:
        scene.frame_set(wanted.frame)
    if wanted.camera:
        scene.camera = next(each for each in scene.objects if each.name_full == wanted.camera)
    bpy.context.view_layer.update()
    camera = camera_of(scene)
    projector = projector_of(scene, camera) if camera_data(camera).type in FLAT else None
    if wanted.rest is None:
        return Place(camera.name, projector), None
    now = stands(bpy.context.evaluated_depsgraph_get())
    return Place(camera.name, projector, moved_since(rest, now)), now
