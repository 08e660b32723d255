# SPDX-License-Identifier: GPL-3.0-or-later
"""What has changed since the overlay was made: shapes, or only where things are."""

from __future__ import annotations

import bpy

_shapes = 0
_places = 0


def counted() -> tuple[int, int]:
    """How often shapes, and how often places, have changed; equal numbers mean that nothing has."""
    return _shapes, _places


@bpy.app.handlers.persistent
def _note(scene: bpy.types.Scene, graph: bpy.types.Depsgraph) -> None:
    global _shapes, _places
    if not graph.updates:  # somebody asked for an update, of which there was none
        return
    _places += 1
    if any(update.is_updated_geometry for update in graph.updates):
        _shapes += 1


@bpy.app.handlers.persistent
def _note_all(*_) -> None:
    global _shapes, _places
    _shapes, _places = _shapes + 1, _places + 1


_HANDLERS = (
    ("depsgraph_update_post", _note),
    *((name, _note_all) for name in ("load_post", "undo_post", "redo_post")),
)


def register() -> None:
    for name, function in _HANDLERS:
        getattr(bpy.app.handlers, name).append(function)


def unregister() -> None:
    for name, function in _HANDLERS:
        getattr(bpy.app.handlers, name).remove(function)
