# SPDX-License-Identifier: GPL-3.0-or-later
"""Materials that show baked textures, as other programs take them: one shader, with images beside the .blend."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

from ..place.projection.materials import let_show
from ..scene.projected import BAKED, ORIGINAL, users_material
from .baker import BakedThing

_INPUTS = {"color": "Base Color", "roughness": "Roughness"}
_COLUMN = 320.0


def show_baked(baked: BakedThing, uv_map: str) -> bpy.types.Object | None:
    """Let a thing show its textures in every slot; None where it is gone, or shows no projection any more."""
    thing = next((each for each in bpy.data.objects if each.name_full == baked.name), None)
    if thing is None or not thing.material_slots:
        return None
    images = {kind: _image(path, is_color=kind == "color") for kind, path in baked.files.items()}
    materials: dict[Any, bpy.types.Material] = {}
    for slot in thing.material_slots:
        original = users_material(slot.material)
        if original not in materials:
            materials[original] = _material(f"{thing.name} (baked)", original, images, uv_map)
    let_show(thing, [materials[users_material(slot.material)] for slot in thing.material_slots])
    return thing


def _image(path: Path, is_color: bool) -> bpy.types.Image:
    """The image of a file, read anew where it is there already."""
    relative = bpy.path.relpath(str(path))
    image = next((each for each in bpy.data.images if each.filepath == relative), None)
    if image is None:
        image = bpy.data.images.load(str(path))
        image.filepath = relative
    else:
        image.reload()
    if is_color:
        image.colorspace_settings.name = "sRGB"
    else:
        image.colorspace_settings.is_data = True
    image.alpha_mode = "NONE"
    return image


def _material(
    name: str, original: bpy.types.Material | None, images: dict[str, bpy.types.Image], uv_map: str
) -> bpy.types.Material:
    material = bpy.data.materials.new(name)
    material[BAKED] = True
    if original is not None:
        material[ORIGINAL] = original
    if material.node_tree is None:
        material.use_nodes = True
    tree = material.node_tree
    shader = tree.nodes["Principled BSDF"]
    place = tree.nodes.new("ShaderNodeUVMap")
    place.uv_map, place.location = uv_map, (-3 * _COLUMN, 0.0)
    for row, (kind, image) in enumerate(images.items()):
        node = tree.nodes.new("ShaderNodeTexImage")
        node.image, node.location = image, (-2 * _COLUMN, -row * _COLUMN)
        tree.links.new(place.outputs[0], node.inputs["Vector"])
        if kind in _INPUTS:
            tree.links.new(node.outputs["Color"], shader.inputs[_INPUTS[kind]])
            continue
        bump = tree.nodes.new("ShaderNodeNormalMap")
        bump.uv_map, bump.location = uv_map, (-_COLUMN, -row * _COLUMN)
        tree.links.new(node.outputs["Color"], bump.inputs["Color"])
        tree.links.new(bump.outputs["Normal"], shader.inputs["Normal"])
    return material
