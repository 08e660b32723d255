# SPDX-License-Identifier: GPL-3.0-or-later
"""What a scene shows: the collections and objects in its render, sources of instances included."""

from __future__ import annotations

from collections.abc import Iterator

import bpy

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


def rendered_collections(scene: bpy.types.Scene) -> list[bpy.types.Collection]:
    """The collections whose objects are rendered in the active view layer, and those they show as instances.

    Each once, parents before children; the scene's own root collection first.
    """
    found: dict[bpy.types.Collection, None] = {}
    pending = list(_layer_collections(active_view_layer(scene).layer_collection))
    while pending:
        collection = pending.pop(0)
        if collection in found:
            continue
        found[collection] = None
        for thing in collection.objects:
            if thing.instance_type == "COLLECTION" and thing.instance_collection and not thing.hide_render:
                pending += _with_children(thing.instance_collection)
    return list(found)


def rendered_objects(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """The objects that put surfaces into the scene's render, sources of collection instances included.

    Each once. Volumes are not among them: the label pass cannot see them.
    """
    found: dict[bpy.types.Object, None] = {}
    for collection in rendered_collections(scene):
        for thing in collection.objects:
            if not thing.hide_render and not is_backdrop(thing) and _has_surface(thing):
                found[thing] = None
    return list(found)


def _has_surface(thing: bpy.types.Object) -> bool:
    """Whether an object shows itself; paths, and hosts of particles and of instances, often do not."""
    if thing.type not in _SURFACES:
        return False
    if thing.is_instancer and not thing.show_instancer_for_render:
        return False
    if isinstance(thing.data, bpy.types.Mesh):
        return bool(thing.data.polygons) or _grows_faces(thing)
    if thing.type == "CURVE" and isinstance(thing.data, bpy.types.Curve):
        curve = thing.data
        filled = curve.dimensions == "2D" and curve.fill_mode != "NONE"
        return bool(filled or curve.bevel_depth or curve.extrude or curve.bevel_object or thing.modifiers)
    return True


def _grows_faces(thing: bpy.types.Object) -> bool:
    """Whether the modifiers of a mesh without faces make some; instances they make are other objects'."""
    if not thing.modifiers:
        return False
    made = thing.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
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
