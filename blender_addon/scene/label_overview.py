# SPDX-License-Identifier: GPL-3.0-or-later
"""What the sidebar shows of a scene's labels, worked out once after a change and not at every redraw.

In a large scene that takes a tenth of a second: it is done a few milliseconds at a time, and redrawn when it is there.
Whoever gives labels calls `forget`; of all other changes Blender tells by its handlers.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

import bpy

from ..contract.labels import LabelSet
from ..label_set_choice import label_set_of
from ..properties import settings
from ..sidebar import redraw
from .given_labels import tidy
from .in_steps import Steps, finished
from .label_table import LabelTable
from .visible import active_view_layer


@dataclass(frozen=True)
class LabelOverview:
    """`table`: the labels resolved. `unlabelled`: the rendered objects of which some surface has no label."""

    table: LabelTable
    unlabelled: list[bpy.types.Object]


SLICE_S = 0.003
_PAUSE_S = 0.005

_changes = 0
_known: dict[tuple, LabelOverview] = {}
_pending: dict[tuple, Steps[LabelOverview]] = {}


def overview(scene: bpy.types.Scene) -> LabelOverview:
    """The scene's labels as they are now. Raises BadLabelSetError when an imported set cannot be read."""
    if bpy.app.background:
        active_view_layer(scene).update()  # with a window Blender has done that before it draws
    key = begin(scene)
    if key not in _known:
        _known[key] = finished(_pending.pop(key))
    return _known[key]


def overview_for_panel(scene: bpy.types.Scene) -> LabelOverview | None:
    """The same for what is drawn, or None while it is being worked out. Raises BadLabelSetError."""
    if bpy.app.background:
        return overview(scene)
    key = begin(scene)
    # One slice a redraw, though several panels ask: then it is the timer's.
    if key not in _known and not bpy.app.timers.is_registered(_work_on) and not work(key):
        bpy.app.timers.register(_work_on, first_interval=_PAUSE_S)
    return _known.get(key)


def forget(*_) -> None:
    """Work it out anew the next time. Also called by Blender, with what has changed."""
    global _changes
    _changes += 1
    _known.clear()
    _pending.clear()


def label_changes() -> int:
    """How often labels may have become others; of a label that somebody gives, Blender itself says nothing."""
    return _changes


def begin(scene: bpy.types.Scene) -> tuple:
    """The key of the scene's overview, which is known or in the making."""
    label_set = label_set_of(settings(scene))
    key = _key(scene, label_set)
    if key not in _known and key not in _pending:
        forget()
        _pending[key] = _steps(scene, label_set)
    return key


def _steps(scene: bpy.types.Scene, label_set: LabelSet) -> Steps[LabelOverview]:
    table = yield from LabelTable.in_steps(scene, label_set)
    unlabelled = yield from table.unlabelled_in_steps()
    return LabelOverview(table, unlabelled)


def work(key: tuple) -> bool:
    """A slice of what was begun; whether the overview is there now."""
    deadline = time.perf_counter() + SLICE_S
    while time.perf_counter() < deadline:
        try:
            next(_pending[key])
        except StopIteration as end:
            del _pending[key]
            _known[key] = end.value
            return True
    return False


def _work_on() -> float | None:
    """What Blender's timer calls until it is there."""
    for key in list(_pending):
        try:
            work(key)
        except Exception:  # something has gone meanwhile, of which no handler told: begin again
            forget()
            redraw()
            return None
    if _pending:
        return _PAUSE_S
    redraw()
    return None


def _key(scene: bpy.types.Scene, label_set: LabelSet) -> tuple:
    layer = active_view_layer(scene)
    # When the last object goes, no handler is told of any object.
    is_empty = next(iter(layer.objects), None) is None
    return scene.session_uid, layer.name, label_set.digest, is_empty


@bpy.app.handlers.persistent
def _note_changes(scene: bpy.types.Scene, graph: bpy.types.Depsgraph) -> None:
    if (_known or _pending) and _may_change_labels(graph.updates):
        forget()


def _may_change_labels(updates: Iterable[bpy.types.DepsgraphUpdate]) -> bool:
    """Whether it is more than things moved, selected, coloured, or deformed by an animation that plays."""
    is_playing = any(window.screen.is_animation_playing for window in bpy.context.window_manager.windows)
    of_scene = of_things = False
    for update in updates:
        if isinstance(update.id, bpy.types.Scene):
            of_scene = True
        elif isinstance(update.id, bpy.types.Object | bpy.types.Collection | bpy.types.Material):
            of_things = of_things or not isinstance(update.id, bpy.types.Material)
            moved_or_shaded = update.is_updated_transform or update.is_updated_shading
            if update.is_updated_geometry:
                if not is_playing:
                    return True
            elif not moved_or_shaded:  # a name, for example
                return True
        if of_scene and of_things:
            return True  # what is there, and what is hidden, comes with the scene; what is selected, with it alone
    return False


@bpy.app.handlers.persistent
def _read_file(*_) -> None:
    """Files of earlier versions keep their labels in the scenes: from now on copies of the things keep them, too."""
    forget()
    for scene in bpy.data.scenes:
        tidy(scene)


_forget = bpy.app.handlers.persistent(forget)
_HANDLERS = (
    *(("depsgraph_update_post", _note_changes), ("load_pre", _forget), ("load_post", _read_file)),
    *((name, _forget) for name in ("undo_pre", "undo_post", "redo_pre", "redo_post")),
)


def register() -> None:
    for name, function in _HANDLERS:
        getattr(bpy.app.handlers, name).append(function)


def unregister() -> None:
    forget()
    if bpy.app.timers.is_registered(_work_on):
        bpy.app.timers.unregister(_work_on)
    for name, function in _HANDLERS:
        getattr(bpy.app.handlers, name).remove(function)
