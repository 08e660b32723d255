# SPDX-License-Identifier: GPL-3.0-or-later
"""What a scene shows: the collections and objects in its render, sources of instances included."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import bpy

from .in_steps import A_STEP, Steps, finished
from .instances import Source, evaluated_data, has_geometry_nodes, instanced_by

# Custom property on the backdrops this add-on makes: the label pass must not see what it painted itself.
BACKDROP_MARK = "spade_backdrop"

# Custom property on the copies of a scene that are rendered for labels: nobody may change what they share with it.
COPY_MARK = "spade_copy"

_SURFACES = frozenset({"MESH", "CURVE", "SURFACE", "META", "FONT", "CURVES", "POINTCLOUD"})


def is_backdrop(thing: bpy.types.Object | bpy.types.Collection) -> bool:
    """Whether this add-on made it to show a generated picture."""
    return BACKDROP_MARK in thing


def active_view_layer(scene: bpy.types.Scene) -> bpy.types.ViewLayer:
    """The view layer the user looks at, or the first where the scene is in no window."""
    layer = bpy.context.view_layer
    if layer is not None and layer.id_data == scene:
        return layer
    return scene.view_layers[0]


@dataclass(frozen=True)
class Rendered:
    """What the active view layer renders.

    collections: those whose objects are rendered, parents before children; the scene's own root collection first.
    objects: theirs, and those that are only there as instances. instances: by host, the objects it shows as instances,
    hosts before those they show. standing: the objects that are there themselves, and show more than instances.
    """

    collections: list[bpy.types.Collection]
    objects: list[bpy.types.Object]
    instances: dict[bpy.types.Object, list[bpy.types.Object]]
    standing: frozenset[bpy.types.Object]


def rendered(scene: bpy.types.Scene, graph: bpy.types.Depsgraph | None = None) -> Rendered:
    """What the render of a scene shows, as `graph` (by default what the viewport has evaluated) knows it.

    Each thing once; without what is hidden in renders and this add-on's own backdrops.
    """
    return finished(rendered_in_steps(scene, graph or viewport_graph(scene)))


def rendered_in_steps(scene: bpy.types.Scene, graph: bpy.types.Depsgraph) -> Steps[Rendered]:
    """The same, with a pause after each few objects."""
    collections: dict[bpy.types.Collection, None] = dict.fromkeys(
        _layer_collections(active_view_layer(scene).layer_collection)
    )
    objects: dict[bpy.types.Object, None] = {}
    standing: list[bpy.types.Object] = []
    instances: dict[bpy.types.Object, list[bpy.types.Object]] = {}
    shown_by: dict[Source, list[bpy.types.Object]] = {}
    pending = deque(thing for collection in collections for thing in collection.objects)
    themselves = len(pending)
    while pending:
        thing, themselves = pending.popleft(), themselves - 1
        if thing in objects or thing.hide_render or is_backdrop(thing):
            continue
        objects[thing] = None
        if themselves >= 0 and (thing.show_instancer_for_render or not thing.is_instancer):
            standing.append(thing)
        if len(objects) % A_STEP == 0:
            yield
        for source in instanced_by(thing, graph):
            if source not in shown_by:  # thousands of instances may show the same
                if isinstance(source, bpy.types.Object):
                    shown_by[source] = [source]
                else:
                    parts = list(_with_children(source))
                    collections.update(dict.fromkeys(parts))
                    shown_by[source] = [each for part in parts for each in part.objects]
                pending.extend(shown_by[source])
            shown = shown_by[source]
            instances[thing] = instances[thing] + shown if thing in instances else shown
    return Rendered(list(collections), list(objects), instances, frozenset(standing))


def rendered_collections(scene: bpy.types.Scene) -> list[bpy.types.Collection]:
    """The collections of which the render of the active view layer shows something, sources of instances included.

    Each once, parents before children; the scene's own root collection first.
    """
    shown = rendered(scene)
    known = set(shown.collections)
    alone = set(shown.objects).difference(*(collection.objects for collection in known))
    if not alone:
        return shown.collections
    sources = [
        each for each in bpy.data.collections if each not in known and not alone.isdisjoint(each.objects)
    ]
    return shown.collections + sources


def rendered_objects(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """The objects that put surfaces into the scene's render, sources of instances included. Each once.

    Volumes are not among them: without a label they are looked through.
    """
    graph = viewport_graph(scene)
    return [thing for thing in rendered(scene, graph).objects if shows_itself(thing, graph)]


def viewport_graph(scene: bpy.types.Scene) -> bpy.types.Depsgraph:
    """What Blender has evaluated for the view layer the user looks at, brought up to date."""
    layer = active_view_layer(scene)
    if layer == bpy.context.view_layer:
        return bpy.context.evaluated_depsgraph_get()
    layer.update()
    graph = layer.depsgraph
    assert graph is not None  # it was made just now
    return graph


def shows_itself(thing: bpy.types.Object, graph: bpy.types.Depsgraph) -> bool:
    """Whether an object shows more than instances; paths, and hosts of particles and of instances, often do not."""
    if thing.type not in _SURFACES:
        return False
    if thing.is_instancer and not thing.show_instancer_for_render:
        return False
    if has_geometry_nodes(thing) and thing.evaluated_get(graph).is_evaluated:
        return any(has_surface(data) for data in evaluated_data(thing, graph))
    if isinstance(thing.data, bpy.types.Mesh):
        return bool(thing.data.polygons) or _grows_faces(thing, graph)
    if thing.type == "CURVE" and isinstance(thing.data, bpy.types.Curve):
        curve = thing.data
        filled = curve.dimensions == "2D" and curve.fill_mode != "NONE"
        return bool(filled or curve.bevel_depth or curve.extrude or curve.bevel_object or thing.modifiers)
    return True


def has_surface(data: bpy.types.ID) -> bool:
    """Whether geometry has a surface: volumes have none, and a mesh may be points and edges only."""
    if isinstance(data, bpy.types.Mesh):
        return bool(data.polygons)
    return not isinstance(data, bpy.types.Volume)


def _grows_faces(thing: bpy.types.Object, graph: bpy.types.Depsgraph) -> bool:
    """Whether the modifiers of a mesh without faces make some."""
    if not thing.modifiers:
        return False
    made = thing.evaluated_get(graph).data
    return isinstance(made, bpy.types.Mesh) and bool(made.polygons)


def _layer_collections(layer: bpy.types.LayerCollection) -> Iterator[bpy.types.Collection]:
    if layer.exclude or layer.collection.hide_render or is_backdrop(layer.collection):
        return
    yield layer.collection
    for child in layer.children:
        yield from _layer_collections(child)


def _with_children(collection: bpy.types.Collection) -> Iterator[bpy.types.Collection]:
    if collection.hide_render:
        return
    yield collection
    for child in collection.children:
        yield from _with_children(child)
