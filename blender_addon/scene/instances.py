# SPDX-License-Identifier: GPL-3.0-or-later
"""What an object shows besides its own data: objects as instances, and geometry and materials from geometry nodes.

Only an evaluated object knows: its sources may lie in collections that are excluded or linked nowhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import bpy

Source: TypeAlias = bpy.types.Object | bpy.types.Collection


def instanced_by(thing: bpy.types.Object, graph: bpy.types.Depsgraph) -> list[Source]:
    """The objects and collections that an object shows as instances, each once, however many instances there are.

    By collection instances, particles, faces, vertices and geometry nodes as `graph` has evaluated them.
    """
    if not thing.is_instancer and not thing.modifiers:
        return []
    found: list[Source | None] = []
    if thing.instance_type == "COLLECTION":
        found.append(thing.instance_collection)
    elif thing.instance_type in {"FACES", "VERTS"}:
        found += thing.children
    for system in thing.particle_systems:
        drawn = system.settings.render_type
        if drawn == "OBJECT":
            found.append(system.settings.instance_object)
        elif drawn == "COLLECTION":
            found.append(system.settings.instance_collection)
    if has_geometry_nodes(thing):
        found += [part.original for part in _parts(thing, graph) if isinstance(part, Source)]
    return [source for source in dict.fromkeys(found) if source is not None and source != thing]


def has_geometry_nodes(thing: bpy.types.Object) -> bool:
    """Whether geometry nodes may make what an object shows."""
    return bool(thing.modifiers) and any(modifier.type == "NODES" for modifier in thing.modifiers)


def evaluated_data(thing: bpy.types.Object, graph: bpy.types.Depsgraph) -> Iterator[bpy.types.ID]:
    """The meshes, curves, point clouds and volumes that an object's geometry nodes make, instanced ones included.

    Each is there only until the next one. None where the graph has not evaluated the object, as when it is hidden in
    the viewport.
    """
    return (part for part in _parts(thing, graph) if not isinstance(part, Source))


def _parts(thing: bpy.types.Object, graph: bpy.types.Depsgraph) -> Iterator[Source | bpy.types.ID]:
    evaluated = thing.evaluated_get(graph)
    if not evaluated.is_evaluated or not hasattr(evaluated, "evaluated_geometry"):
        return
    pending = [evaluated.evaluated_geometry()]
    for part in pending:  # which grows, and keeps alive what was yielded
        if not isinstance(part, bpy.types.GeometrySet):
            yield part
            continue
        for name in ("mesh", "curves", "pointcloud", "volume"):
            if (data := getattr(part, name, None)) is not None:
                yield data
        pending += part.instance_references()
