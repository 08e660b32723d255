# SPDX-License-Identifier: GPL-3.0-or-later
"""Baked things as glTF with their textures, written by Blender's own exporter in a copy of the file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy

from ..contract.errors import InternalError, UnavailableError
from ..place.projection.materials import is_baked

ADD_ON = "io_scene_gltf2"
FORMATS = {"GLB": ".glb", "GLTF_SEPARATE": ".gltf"}


def write_model(
    scene: str, layer: str, folder: str, name: str, file_format: str, things: list[str]
) -> Iterator[dict[str, Any]]:
    """Write things, by their full names, into one file; tells how much is done.

    They are as renders show them, modifiers applied, and the UV map that was baked to is their only one: engines look
    into the first.

    Raises UnavailableError without Blender's glTF add-on, InternalError where that fails.
    """
    shown = bpy.data.scenes[scene]
    window = bpy.context.window_manager.windows[0]
    window.scene, window.view_layer = shown, shown.view_layers[layer]
    if "FINISHED" not in bpy.ops.preferences.addon_enable(module=ADD_ON):
        raise UnavailableError("Blender's glTF 2.0 add-on is missing.", "Install the Blender of blender.org.")
    yield {"fraction": 0.2}
    for each in window.view_layer.objects:
        each.select_set(each.name_full in things)
        if each.name_full in things:
            _leave_baked_map(each)
    try:
        bpy.ops.export_scene.gltf(
            filepath=str(Path(folder) / f"{name}{FORMATS[file_format]}"),
            export_format=file_format,
            use_selection=True,
            export_apply=True,
        )
    except RuntimeError as problem:
        raise InternalError(
            f"Blender's glTF exporter failed: {problem}".strip(), "Export the things one by one."
        ) from None
    yield {"fraction": 1.0}


def _leave_baked_map(thing: bpy.types.Object) -> None:
    """Give a thing a mesh of its own with the one UV map that its textures are read by."""
    assert is_baked(thing) and isinstance(thing.data, bpy.types.Mesh)
    trees: Any = [slot.material.node_tree for slot in thing.material_slots if slot.material is not None]
    known = {node.uv_map for tree in trees for node in tree.nodes if node.type == "UVMAP"}
    thing.data = thing.data.copy()
    layers: Any = thing.data.uv_layers
    for name in [layer.name for layer in layers if layer.name not in known]:
        layers.remove(layers[name])
