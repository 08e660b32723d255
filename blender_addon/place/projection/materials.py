# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's materials with the paint of projections mixed over their surfaces, and the way back.

A slot is linked to its object, and gets a copy of its material; the mesh keeps the original. So to go back is to link
the slot to the mesh again. A slot that was linked to its object before says so on the object, and gets back what its
copy was made of.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import bpy

from ...properties import settings
from ...scene.borrow import set_if_known
from ...scene.given_labels import LABEL
from ...scene.instances import evaluated_data, has_geometry_nodes
from ...scene.projected import BAKED, ORIGINAL, PAINTED, is_painted
from ...scene.visible import viewport_graph
from .bare import forget_bare
from .paint_over import new_surface, paint_over

# Custom properties: of an object, which of its slots were its own before; of a mesh, that it had none.
OWN_SLOTS, NO_SLOTS = "spade_own_slots", "spade_no_slots"


def paint_objects(things: Iterable[bpy.types.Object], paint: bpy.types.NodeTree) -> None:
    """Let every slot of these objects show the paint; those that do already stay as they are."""
    copies = {each.get(ORIGINAL): each for each in _copies(paint)}
    for thing in things:
        if refusal(thing) is not None:
            continue
        if not thing.material_slots:
            assert thing.data is not None
            thing.data.materials.append(None)  # pyright: ignore[reportAttributeAccessIssue]
            thing.data[NO_SLOTS] = True
        for index, slot in enumerate(thing.material_slots):
            material = slot.material
            if is_painted(material):
                continue
            if material not in copies:
                copies[material] = _painted_copy(material, paint)
            _link(thing, index, copies[material])


def let_show(thing: bpy.types.Object, materials: list[bpy.types.Material]) -> None:
    """Put materials of ours into an object's slots, one for each; they know the user's."""
    for index, material in enumerate(materials):
        _link(thing, index, material)
    _remove({each for each in bpy.data.materials if is_painted(each) and not each.users})


def restore_objects(paint: bpy.types.NodeTree | None) -> None:
    """Give all slots that show the paint back what they showed before, and remove the copies."""
    copies = set(_copies(paint))
    for thing in bpy.data.objects:
        _restore(thing, copies)
    _remove_made_slots()
    _remove(copies)


def restore_strays() -> None:
    """The same for what came from other files, or from scenes that are gone: paint that no scene has."""
    known = [settings(scene).paint for scene in bpy.data.scenes]
    for paint in {each[PAINTED] for each in bpy.data.materials if is_painted(each)}:
        if paint is None or paint not in known:
            restore_objects(paint)


def remove_baked(things: Iterable[bpy.types.Object]) -> None:
    """Give these objects what their slots showed before they were baked, and projected on."""
    for thing in things:
        _restore(thing, {each for each in bpy.data.materials if _is_baked(each)})
    _remove_made_slots()
    _remove({each for each in bpy.data.materials if _is_baked(each) and not each.users})


def _link(thing: bpy.types.Object, index: int, material: bpy.types.Material) -> None:
    """Link a slot to its object, and remember it where it was so before."""
    slot = thing.material_slots[index]
    if slot.link == "OBJECT" and not is_painted(slot.material) and not _is_baked(slot.material):
        thing[OWN_SLOTS] = [*thing.get(OWN_SLOTS, ()), index]
    slot.link = "OBJECT"
    slot.material = material


def _restore(thing: bpy.types.Object, ours: set[bpy.types.Material]) -> None:
    """Give the slots that show materials of ours what these stand in for."""
    own = set(thing.get(OWN_SLOTS, ()))
    slots = list(enumerate(thing.material_slots))
    for index, slot in slots:
        if slot.material not in ours:
            continue
        original = slot.material.get(ORIGINAL)
        if index in own or _is_baked(original):
            slot.material = original
        else:
            slot.material = None
            slot.link = "DATA"
    if not any(is_painted(slot.material) for _, slot in slots):
        forget_bare(thing)
    left = any(is_painted(slot.material) or _is_baked(slot.material) for _, slot in slots)
    if OWN_SLOTS in thing and not left:
        del thing[OWN_SLOTS]


def _remove_made_slots() -> None:
    """Take the slots away that meshes did not have, where no object shows anything in them any more."""
    for data in {
        thing.data for thing in bpy.data.objects if thing.data is not None and NO_SLOTS in thing.data
    }:
        if not any(data.materials) and not _has_own_slots(data):
            data.materials.clear()
            del data[NO_SLOTS]


def _remove(materials: set[bpy.types.Material]) -> None:
    """Take materials of ours out of the file, with the trees that are theirs alone."""
    for material in materials:
        nodes: Any = material.node_tree.nodes if material.node_tree is not None else ()
        trees = [node.node_tree for node in nodes if node.type == "GROUP"]
        bpy.data.materials.remove(material)
        for tree in trees:
            if tree is not None and PAINTED in tree and not tree.users:
                bpy.data.node_groups.remove(tree)


def is_baked(thing: bpy.types.Object) -> bool:
    """Whether an object shows baked textures."""
    return any(_is_baked(slot.material) for slot in thing.material_slots)


def _is_baked(material: bpy.types.Material | None) -> bool:
    return material is not None and BAKED in material


def _has_own_slots(data: Any) -> bool:
    """Whether an object of this mesh has a material of its own, which goes with the mesh's slots."""
    return any(
        slot.link == "OBJECT" and slot.material is not None
        for thing in bpy.data.objects
        if thing.data == data
        for slot in thing.material_slots
    )


def refusal(thing: bpy.types.Object) -> str | None:
    """Why an object cannot be painted, or None."""
    if thing.library is not None:
        return "it is linked from another file"
    if not hasattr(thing.data, "materials"):
        return "it has no materials"
    if not thing.material_slots and thing.data is not None and thing.data.library is not None:
        return "its linked mesh has no material slots"
    if not thing.material_slots and thing.override_library is not None:
        return "it is an override without material slots"
    return None


def shows_others(thing: bpy.types.Object) -> bool:
    """Whether geometry nodes give an object materials that are in none of its slots, and that go before these."""
    if not has_geometry_nodes(thing):
        return False
    own = {slot.material for slot in thing.material_slots}
    made = evaluated_data(thing, viewport_graph(bpy.context.scene))
    return any(
        material.original not in own
        for data in made
        for material in getattr(data, "materials", ())
        if material is not None
    )


def _copies(paint: bpy.types.NodeTree | None) -> list[bpy.types.Material]:
    return [each for each in bpy.data.materials if is_painted(each) and each[PAINTED] == paint]


def _painted_copy(original: bpy.types.Material | None, paint: bpy.types.NodeTree) -> bpy.types.Material:
    """A material of our own that shows paint over what the original shows, or over plain grey."""
    copy = original.copy() if original is not None else bpy.data.materials.new("Surface")
    assert copy is not None
    copy.name = f"{original.name if original is not None else 'Surface'} (projected)"
    copy.use_fake_user = False
    if LABEL in copy:
        del copy[LABEL]  # it has the original's, also when that is given another one
    copy[PAINTED] = paint
    if original is not None:
        copy[ORIGINAL] = original
    if original is None or copy.node_tree is None or not copy.use_nodes:
        color: Any = copy.diffuse_color
        set_if_known(copy, use_nodes=True)
        new_surface(copy.node_tree, tuple(color) if original is not None else None)
    # A mesh that glows would be sampled as a lamp, triangle by triangle.
    set_if_known(copy.cycles, emission_sampling="NONE")
    paint_over(copy.node_tree, paint)
    return copy
