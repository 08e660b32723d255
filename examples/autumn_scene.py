# SPDX-License-Identifier: GPL-3.0-or-later
"""Colours for the example valley: an evening in autumn. Part of `python -m examples.autumn`, inside Blender."""

# Sockets of nodes are unknown to the stubs.
# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

from dataclasses import dataclass

import bpy

Tones = tuple[str, ...]


@dataclass(frozen=True)
class Look:
    """Of a material: tones from dark to light, how many metres a patch has, what catches light."""

    tones: Tones
    patch: float
    roughness: float = 0.9
    bump: float = 0.0
    by_thing: bool = False
    """Each thing has a tone of its own, as trees do."""


LOOKS = {
    "Grass": Look(("#4A4A18", "#7A6A20", "#B89838"), 6.0, bump=0.6),
    "Water": Look(("#08141C", "#0C2030"), 30.0, roughness=0.06, bump=0.05),
    "Dirt": Look(("#4A3626", "#7A5C40"), 2.0, bump=0.5),
    "Mountain": Look(("#2C2838", "#4A4458", "#6A6070"), 60.0, bump=1.0),
    "Snow": Look(("#C8C0D0", "#F0ECF0"), 80.0, roughness=0.6),
    "Leaves": Look(("#7A1C08", "#C04C0C", "#E08C18", "#E0B830"), 0.7, bump=1.0, by_thing=True),
    "Bark": Look(("#20140C", "#382418"), 0.4),
    "Rock": Look(("#383634", "#807C78"), 1.2, bump=0.8),
    "Walls": Look(("#B8A888", "#D8CCB0"), 1.5),
    "Roof": Look(("#481410", "#7A2418"), 0.8, bump=0.5),
    "Cloud": Look(("#E0A888", "#F8E0D0"), 120.0),
}
SKY: Tones = ("#F8C070", "#E89878", "#8888A8", "#506898")
"""From the horizon up."""


def colour(scene: bpy.types.Scene) -> None:
    """Give the valley's materials and its world these looks, and leaves and rocks a ragged surface."""
    for name, look in LOOKS.items():
        _paint(bpy.data.materials[name], look)
    scene.world = _evening()
    for thing in bpy.data.objects:
        if thing.type == "MESH" and ("crown" in thing.name or thing.name.startswith(("Bush", "Rock"))):
            _roughen(thing, 0.55 if "crown" in thing.name else 0.25)


def _paint(material: bpy.types.Material, look: Look) -> None:
    material.use_nodes = True
    tree = material.node_tree
    assert tree is not None
    surface = tree.nodes["Principled BSDF"]
    surface.inputs["Roughness"].default_value = look.roughness
    place = tree.nodes.new("ShaderNodeTexCoord")
    noise = tree.nodes.new("ShaderNodeTexNoise")
    noise.inputs["Scale"].default_value = 1.0 / look.patch
    noise.inputs["Detail"].default_value = 8.0
    tree.links.new(place.outputs["Object"], noise.inputs["Vector"])
    tone = noise.outputs[0]
    if look.by_thing:
        thing, mixed = tree.nodes.new("ShaderNodeObjectInfo"), tree.nodes.new("ShaderNodeMath")
        mixed.operation = "MULTIPLY_ADD"
        tree.links.new(noise.outputs[0], mixed.inputs[0])
        mixed.inputs[1].default_value = 0.5
        tree.links.new(thing.outputs["Random"], mixed.inputs[2])
        tone = mixed.outputs[0]
    ramp = _ramp(tree, look.tones, (0.3, 1.2) if look.by_thing else (0.3, 0.7))
    tree.links.new(tone, ramp.inputs[0])
    tree.links.new(ramp.outputs[0], surface.inputs["Base Color"])
    if look.bump:
        bump = tree.nodes.new("ShaderNodeBump")
        bump.inputs["Strength"].default_value = look.bump
        bump.inputs["Distance"].default_value = 0.1 * look.patch
        tree.links.new(noise.outputs[0], bump.inputs["Height"])
        tree.links.new(bump.outputs[0], surface.inputs["Normal"])


def _evening() -> bpy.types.World:
    world = bpy.data.worlds.new("Autumn evening")
    world.use_nodes = True
    tree = world.node_tree
    assert tree is not None
    place, split = tree.nodes.new("ShaderNodeTexCoord"), tree.nodes.new("ShaderNodeSeparateXYZ")
    ramp = _ramp(tree, SKY, (0.0, 0.7))
    tree.links.new(place.outputs["Generated"], split.inputs[0])
    tree.links.new(split.outputs["Z"], ramp.inputs[0])
    tree.links.new(ramp.outputs[0], tree.nodes["Background"].inputs["Color"])
    return world


def _ramp(tree: bpy.types.NodeTree, tones: Tones, between: tuple[float, float]) -> bpy.types.Node:
    ramp = tree.nodes.new("ShaderNodeValToRGB")
    assert isinstance(ramp, bpy.types.ShaderNodeValToRGB) and ramp.color_ramp is not None
    low, high = between
    low, high = min(low, 1.0), min(high, 1.0)
    stops = ramp.color_ramp.elements
    while len(stops) < len(tones):
        stops.new(1.0)
    for number, tone in enumerate(tones):
        stops[number].position = low + (high - low) * number / (len(tones) - 1)
        stops[number].color = (*_linear(tone), 1.0)
    return ramp


def _linear(tone: str) -> list[float]:
    """The linear values of an sRGB colour such as "#E08C18"."""
    parts = (int(tone[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def _roughen(thing: bpy.types.Object, depth: float) -> None:
    fine = thing.modifiers.new("Fine", "SUBSURF")
    assert isinstance(fine, bpy.types.SubsurfModifier)
    fine.subdivision_type, fine.levels, fine.render_levels = "SIMPLE", 2, 2
    lumps = bpy.data.textures.new(f"{thing.name} lumps", "CLOUDS")
    assert isinstance(lumps, bpy.types.CloudsTexture)
    lumps.noise_scale = 0.6
    ragged = thing.modifiers.new("Ragged", "DISPLACE")
    assert isinstance(ragged, bpy.types.DisplaceModifier)
    ragged.texture, ragged.strength = lumps, depth
