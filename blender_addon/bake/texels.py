# SPDX-License-Identifier: GPL-3.0-or-later
"""One thing's colours by its UV map, baked in a Blender whose file is a copy: everything in it may be changed.

Exact: one sample goes through each texel's centre, and neither the picture nor what is baked has a colour space
meanwhile, so bytes are bytes.
"""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from ..contract.errors import InternalError
from ..place.projection.group import PICTURE
from ..place.projection.paint import let_bytes_through
from ..properties import settings


def prepare(scene: bpy.types.Scene) -> None:
    """Let Cycles bake the scene's paint as bytes."""
    scene.render.engine = "CYCLES"
    scene.cycles.device, scene.cycles.samples, scene.cycles.use_denoising = "CPU", 1, False
    scene.cycles.use_adaptive_sampling = False
    for entry in settings(scene).projections:
        entry.group.nodes[PICTURE].image.colorspace_settings.is_data = True
    let_bytes_through(scene)
    scene.world = None  # which Cycles would look at for its light


def baked_texels(
    scene: bpy.types.Scene, thing: bpy.types.Object, uv_map: str, size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(S, S, 3) uint8 colours, row 0 at the top; (S, S) whether the thing has a texel; whether a projection reaches it.

    Raises InternalError where Blender does not bake.
    """
    colors = _baked(scene, thing, uv_map, size, "Light")
    reached = _baked(scene, thing, uv_map, size, "Reached")
    return colors[..., :3], colors[..., 3] > 127, reached[..., 0] > 127


def _baked(
    scene: bpy.types.Scene, thing: bpy.types.Object, uv_map: str, size: int, output: str
) -> np.ndarray:
    """(S, S, 4) uint8 of one output of the scene's paint; alpha is 0 where the thing has no texel."""
    target = bpy.data.images.new("Target", size, size, alpha=True, is_data=True)
    target.generated_color = (0.0, 0.0, 0.0, 0.0)
    material = _glowing(scene, target, output)
    try:
        if not thing.material_slots:
            thing.data.materials.append(None)  # pyright: ignore[reportAttributeAccessIssue, reportOptionalMemberAccess]
        for slot in thing.material_slots:
            slot.link, slot.material = "OBJECT", material
        for each in scene.view_layers[0].objects:
            each.select_set(each == thing)
        bpy.context.view_layer.objects.active = thing
        # The target is new: clearing it would make it opaque, and alpha is to say where the thing has texels.
        done = bpy.ops.object.bake(
            type="EMIT", target="IMAGE_TEXTURES", uv_layer=uv_map, margin=0, use_clear=False
        )
        if "FINISHED" not in done:
            raise InternalError(f"Blender did not bake '{thing.name}'.", "Please report it.")
        pixels = np.empty(size * size * 4, np.float32)
        flat: Any = pixels
        target.pixels.foreach_get(flat)
        pixels *= 255  # in place: a large texture is a gigabyte of floats
        return np.rint(pixels, out=pixels).reshape(size, size, 4)[::-1].astype(np.uint8)
    except RuntimeError as problem:
        raise InternalError(
            f"Blender could not bake '{thing.name}': {problem}".strip(), "Check its UV map and its modifiers."
        ) from None
    finally:
        bpy.data.images.remove(target)
        bpy.data.materials.remove(material)


def _glowing(scene: bpy.types.Scene, target: bpy.types.Image, output: str) -> bpy.types.Material:
    """A material that glows with an output of the scene's paint, and is baked to the target."""
    material = bpy.data.materials.new("Bake")
    if material.node_tree is None:
        material.use_nodes = True
    tree = material.node_tree
    tree.nodes.clear()
    paint, light, end, image = (
        tree.nodes.new(f"ShaderNode{kind}") for kind in ("Group", "Emission", "OutputMaterial", "TexImage")
    )
    paint.node_tree = settings(scene).paint
    tree.links.new(paint.outputs[output], light.inputs["Color"])
    tree.links.new(light.outputs[0], end.inputs["Surface"])
    image.image = target
    tree.nodes.active = image
    return material
