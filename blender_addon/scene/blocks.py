# SPDX-License-Identifier: GPL-3.0-or-later
"""Blocks: the labelled things, which stand behind nothing but the picture that was painted from them.

Show hides them from views and renders. What the user shows of them is kept in the scene (`hidden_blocks`), comes back
when they do, and is what the label pass sees meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import bpy
import numpy as np

from ..contract.errors import BlocksHiddenError, NothingLabelledError, SpadeError
from ..properties import settings
from .borrow import borrowed
from .label_rules import scene_label_set
from .label_table import LabelTable
from .visible import active_view_layer, is_backdrop, rendered_collections, rendered_objects

# In a labelled collection may be lamps and cameras: they light and show the rest, and stay.
_NO_BLOCKS = frozenset({"CAMERA", "LIGHT", "LIGHT_PROBE", "SPEAKER", "ARMATURE", "LATTICE"})
_FROM_ALL = (True, True)


def blocks_of(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """The objects with a label, their own, a collection's or a material's; sources of instances included."""
    try:
        table = LabelTable(scene, scene_label_set(scene))
    except SpadeError:
        return []  # the label panel says why
    things = dict.fromkeys(table.objects)
    if table.materials:
        for collection in rendered_collections(scene):
            for thing in collection.objects:
                if any(slot.material in table.materials for slot in thing.material_slots):
                    things[thing] = None
    return [thing for thing in things if _is_block(thing)]


def hide_blocks(scene: bpy.types.Scene) -> None:
    """Hide the labelled things from views and renders; those that are hidden already stay so."""
    blocks = blocks_of(scene)
    _hide(scene, blocks)
    # Instances of single objects show although their source is hidden: what makes them has to be.
    _hide(scene, _hosts_of(scene, set(blocks)))


def reveal_blocks(scene: bpy.types.Scene) -> None:
    """Show the labelled things as the user did before they were hidden."""
    _set_hidden(_as_users_show_them(scene))
    settings(scene).hidden_blocks.clear()


@contextmanager
def blocks_in_sight(scene: bpy.types.Scene) -> Iterator[None]:
    """For the label pass: hidden blocks are rendered as the user shows them, for the length of a `with` block.

    Where the user hid the collections of all labelled things from renders himself, to render a picture without its
    blocks, those that views show count. Raises BlocksHiddenError in place of NothingLabelledError where everything
    is hidden.
    """
    with ExitStack() as stack:
        shown = _as_users_show_them(scene)
        _set_hidden(shown)
        stack.callback(_set_hidden, dict.fromkeys(shown, _FROM_ALL))
        for collection in _hidden_in_renders_only(scene):
            stack.enter_context(borrowed(collection, hide_render=False))
        try:
            yield
        except NothingLabelledError:
            if _are_all_hidden(scene):
                raise BlocksHiddenError(
                    "The camera sees nothing that has a label: all of it is hidden.",
                    "Show it in renders: the outliner has a camera beside each thing.",
                ) from None
            raise


def _hidden_in_renders_only(scene: bpy.types.Scene) -> list[bpy.types.Collection]:
    """The collections that views show and renders do not, where no labelled thing is left in renders."""
    hidden = [
        each for each in scene.collection.children_recursive if each.hide_render and not each.hide_viewport
    ]
    # To find the blocks is dear in a large scene: Blender evaluates all of it.
    return hidden if hidden and _are_all_hidden(scene) else []


def _are_all_hidden(scene: bpy.types.Scene) -> bool:
    blocks = blocks_of(scene)
    return bool(blocks) and set(blocks).isdisjoint(rendered_objects(scene))


def _is_block(thing: bpy.types.Object) -> bool:
    if thing.type == "EMPTY":
        return thing.instance_type == "COLLECTION"
    return thing.type not in _NO_BLOCKS and not is_backdrop(thing)


def _hide(scene: bpy.types.Scene, things: list[bpy.types.Object]) -> None:
    hidden = settings(scene).hidden_blocks
    known = {entry.object for entry in hidden}
    for thing in things:
        if thing not in known:
            entry = hidden.add()
            entry.object = thing
            entry.hide_viewport, entry.hide_render = thing.hide_viewport, thing.hide_render
    _set_hidden(dict.fromkeys(things, _FROM_ALL))


def _hosts_of(scene: bpy.types.Scene, blocks: set[bpy.types.Object]) -> list[bpy.types.Object]:
    """What still shows blocks as instances, though they are hidden."""
    if not any(
        thing.modifiers or thing.instance_type != "NONE" for thing in scene.objects if thing not in blocks
    ):
        return []  # an update of a large scene takes seconds
    layer = active_view_layer(scene)
    layer.update()
    found: dict[bpy.types.Object, None] = {}
    for each in layer.depsgraph.object_instances:
        host, source = each.parent, each.instance_object
        if (
            host is not None
            and host.original is not None
            and source is not None
            and source.original in blocks
        ):
            found[host.original] = None
    return list(found)


def _as_users_show_them(scene: bpy.types.Scene) -> dict[bpy.types.Object, tuple[bool, bool]]:
    entries = settings(scene).hidden_blocks
    return {
        each.object: (each.hide_viewport, each.hide_render) for each in entries if each.object is not None
    }


def _set_hidden(wanted: dict[bpy.types.Object, tuple[bool, bool]]) -> None:
    """Hide things or show them, (in views, in renders).

    Blender looks through the whole scene after each such write but those in bulk, so only the last is a single one.
    """
    objects = bpy.data.objects
    places = {thing: place for place, thing in enumerate(objects)}
    for which, name in enumerate(("hide_viewport", "hide_render")):
        flags = np.empty(len(objects), bool)
        values: Any = flags  # a sequence to Blender, though not to its type stubs
        objects.foreach_get(name, values)
        changed = [thing for thing, hidden in wanted.items() if flags[places[thing]] != hidden[which]]
        if changed:
            for thing in changed[:-1]:
                flags[places[thing]] = wanted[thing][which]
            objects.foreach_set(name, values)
            setattr(changed[-1], name, wanted[changed[-1]][which])
