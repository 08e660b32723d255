# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be baked: checked in words before anything is."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ..contract.errors import BadOptionError, NothingLabelledError, NotSavedError
from ..scene.projected import is_painted, users_material
from ..scene.shader_tree import is_see_through

SIZES = (512, 1024, 2048, 4096, 8192)
FOLDER = "textures"
"""Beside the .blend."""
NEW_UV_MAP = "Spade Bake"
_OUTSIDE = 1e-4
_BYTES_A_TEXEL = 190
"""Of memory, while it is baked: measured at 4096 and 8192, nearly all of it Blender's own."""


@dataclass(frozen=True)
class BakePlan:
    """things: full names of objects, each with its UV map. size: texels of a side. surface: with roughness, normals.

    unwrapped: of things that were given a new UV map, by their full names, the one that renders used before, if any.
    """

    things: tuple[tuple[str, str], ...]
    size: int
    folder: Path
    surface: bool = True
    unwrapped: dict[str, str] = field(default_factory=dict)


def plan_bake(
    context: bpy.types.Context, size: int, new_uv_map: bool = False, surface: bool = True
) -> BakePlan:
    """For the selected things that a picture is projected on; with `new_uv_map` each is given one of its own.

    Raises NotSavedError, BadOptionError for what cannot be baked, and NothingLabelledError where nothing is selected
    that is projected on.
    """
    if not bpy.data.filepath:
        raise NotSavedError("This file is not saved.", "Save it first: the textures go beside it.")
    things = [thing for thing in context.selected_objects if _is_projected_on(thing)]
    if not things:
        raise NothingLabelledError(
            "Nothing is selected that a picture is projected on.",
            "Select the things to bake; copies by instancing are to be made real first.",
        )
    for thing in things:
        _refuse(thing, new_uv_map)
    before = {thing.name_full: getattr(_uv_map(thing), "name", "") for thing in things if new_uv_map}
    if new_uv_map:
        for thing in things:
            _unwrap(context, thing)
    _refuse_size(size)
    maps = tuple((thing.name_full, _uv_map(thing).name) for thing in things)
    return BakePlan(maps, size, Path(bpy.data.filepath).parent / FOLDER, surface, before)


def take_back_uv_maps(plan: BakePlan) -> None:
    """Nothing was baked: let renders use the UV maps that they used before, and the new ones go."""
    for thing in [each for each in bpy.data.objects if each.name_full in plan.unwrapped]:
        layers: Any = thing.data.uv_layers  # pyright: ignore[reportAttributeAccessIssue, reportOptionalMemberAccess]
        before, new = layers.get(plan.unwrapped[thing.name_full]), layers.get(NEW_UV_MAP)
        if before == new:  # from an earlier bake
            continue
        if before is not None:
            before.active = before.active_render = True
        if new is not None:
            layers.remove(layers[NEW_UV_MAP])


def _refuse_size(size: int) -> None:
    """Raises BadOptionError where the computer's memory is known to be too small: it would end the other Blender."""
    needed, there = size * size * _BYTES_A_TEXEL, _memory()
    if there is not None and needed > there:
        raise BadOptionError(
            f"To bake {size} texels a side takes {needed / 2**30:.0f} GB of memory; this computer has "
            f"{there / 2**30:.0f} GB.",
            "Bake smaller.",
        )


def _memory() -> int | None:
    """Bytes of the computer's memory; None where Python cannot say, as on Windows."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def _is_projected_on(thing: bpy.types.Object) -> bool:
    return thing.type == "MESH" and any(is_painted(slot.material) for slot in thing.material_slots)


def _refuse(thing: bpy.types.Object, new_uv_map: bool) -> None:
    if thing.hide_render:
        raise BadOptionError(
            f"'{thing.name}' is hidden in renders.", "Show it: hidden things cannot be baked."
        )
    for slot in thing.material_slots:
        material = users_material(slot.material)
        if material is not None and _has_holes(material):
            raise BadOptionError(
                f"The material '{material.name}' of '{thing.name}' is see-through: a baked one would not be.",
                "Leave it out of the selection, and keep its projection.",
            )
    if new_uv_map:
        if thing.data is not None and thing.data.library is not None:
            raise BadOptionError(f"The mesh of '{thing.name}' is linked.", "Bake to the UV map that it has.")
        return
    layer = _uv_map(thing)
    if layer is None:
        raise BadOptionError(f"'{thing.name}' has no UV map.", "Bake with New UV Map.")
    flat = np.empty(2 * len(layer.uv), np.float32)
    values: Any = flat
    layer.uv.foreach_get("vector", values)
    if flat.size and (flat.min() < -_OUTSIDE or flat.max() > 1 + _OUTSIDE):
        raise BadOptionError(
            f"The UV map of '{thing.name}' goes beyond the one square that is baked (UDIM tiles, or repeats).",
            "Bake with New UV Map.",
        )


def lacks_uv_map(thing: bpy.types.Object) -> bool:
    """Whether it is a mesh without any."""
    return thing.type == "MESH" and _uv_map(thing) is None


def _uv_map(thing: bpy.types.Object) -> Any:
    """The UV map that renders use; None where there is none."""
    layers = thing.data.uv_layers  # pyright: ignore[reportAttributeAccessIssue, reportOptionalMemberAccess]
    return next((layer for layer in layers if layer.active_render), layers.active)


def _has_holes(material: bpy.types.Material) -> bool:
    nodes: Any = material.node_tree.nodes if material.node_tree is not None else ()
    ends = [node for node in nodes if node.type == "OUTPUT_MATERIAL"]
    return any(is_see_through(node.inputs["Surface"], ()) for node in ends)


def _unwrap(context: bpy.types.Context, thing: bpy.types.Object) -> None:
    """A UV map of its own, without overlaps, that renders use from now on; others stay."""
    layers = thing.data.uv_layers  # pyright: ignore[reportAttributeAccessIssue, reportOptionalMemberAccess]
    layer = layers.get(NEW_UV_MAP) or layers.new(name=NEW_UV_MAP)
    if layer is None:
        raise BadOptionError(
            f"'{thing.name}' has eight UV maps, the most there can be.", "Remove one of them."
        )
    layer.active = layer.active_render = True
    selected, active = context.selected_objects, context.view_layer.objects.active
    for each in selected:
        each.select_set(each == thing)
    context.view_layer.objects.active = thing
    bpy.ops.object.mode_set(mode="EDIT")
    bpy.ops.mesh.reveal(select=False)
    bpy.ops.mesh.select_all(action="SELECT")
    bpy.ops.uv.smart_project(island_margin=0.005)
    bpy.ops.object.mode_set(mode="OBJECT")
    for each in selected:
        each.select_set(True)
    context.view_layer.objects.active = active
