# SPDX-License-Identifier: GPL-3.0-or-later
"""Shaders for the label pass: every surface is there or not there, never by chance.

Where a shader is transparent in part, Cycles draws lots for each pixel. So the render's own copies of the materials
(see `evaluated`) are changed until nothing is left to draw:

- A cut-out, whose alpha comes from a texture or from where a point lies, is seen where its alpha is at least one half.
- What is evenly see-through (water of alpha 0.3, Fresnel, tinted panes) is seen if it has a label, unless it is fully
  transparent; without a label it is seen from an alpha of one half on.
- A volume with a label is seen as a solid body; one without is looked through.
- Materials that read their object's pass index or their own find the user's, not the label pass's.

Each mix of shaders decides for itself: two nested ones of 0.6 are seen, though their product is not.
"""

from __future__ import annotations

import bpy

from .evaluated import evaluated_materials, evaluated_objects, original_of
from .instances import evaluated_data, has_geometry_nodes
from .label_table import LabelTable
from .projected import is_painted, take_paint_off
from .shader_tree import Groups, Socket, Tree, is_by_place, is_see_through, trees_of

_HALF = 0.5 - 1e-5
_ANY = 1.0 / 255.0
_OWN_INDEX = "spade_pass_index"


def decide_shaders(graph: bpy.types.Depsgraph, table: LabelTable) -> None:
    """Make the materials in a render's graph ones that a label pass can read."""
    objects = evaluated_objects(graph)
    materials = [each for each in evaluated_materials(graph) if each.node_tree is not None]
    for material in filter(is_painted, materials):
        for tree, _ in trees_of(material.node_tree):
            take_paint_off(tree)
    labelled = _labelled(graph, objects, table)
    volumes = {original_of(each) for each in materials if _is_volume(each.node_tree)}
    for thing in objects:
        if thing.original not in table.objects and _shows_only(thing, graph, volumes - set(table.materials)):
            thing.visible_camera = False
    done: set[int] = set()
    for material in materials:
        alpha = _ANY if material.original in labelled else _HALF
        for tree, groups in trees_of(material.node_tree):
            if tree.as_pointer() not in done:  # materials share groups
                done.add(tree.as_pointer())
                _decide(tree, groups, alpha)
                _keep_indices(tree, material.pass_index, objects)
        _decide_volume(material.node_tree, material.original in labelled)


def _labelled(
    graph: bpy.types.Depsgraph, objects: list[bpy.types.Object], table: LabelTable
) -> set[bpy.types.Material]:
    """The materials that show a label of their own or of an object."""
    found = set(table.materials)
    for thing in objects:
        if thing.original in table.objects:
            found.update(material for material in _materials(thing, graph) if material is not None)
    return found


def _materials(thing: bpy.types.Object, graph: bpy.types.Depsgraph) -> set[bpy.types.Material | None]:
    """The user's materials that an evaluated object shows, those from geometry nodes included."""
    found = {slot.material for slot in thing.material_slots}
    if has_geometry_nodes(thing):
        for data in evaluated_data(original_of(thing), graph):
            found.update(data.materials)
    return {material and material.original for material in found}


def _decide(tree: Tree, groups: Groups, alpha: float) -> None:
    """Let every shader of a tree be wholly there or not at all: what is even from `alpha` on, cut-outs from a half."""

    def smallest(socket: Socket) -> float:
        return _HALF if is_by_place(socket, groups) else alpha

    for node in list(tree.nodes):
        if node.type == "BSDF_PRINCIPLED":
            socket = node.inputs["Alpha"]
            if socket.is_linked or socket.default_value < 1.0:
                _threshold(tree, socket, smallest(socket))
        elif node.type == "BSDF_TRANSPARENT":
            socket = node.inputs["Color"]
            if not socket.is_linked:
                # Behind many tinted panes Cycles would give up: one looks through them undimmed, or not at all.
                seen = 1.0 - sum(socket.default_value[:3]) / 3.0 >= alpha
                socket.default_value = (0.0, 0.0, 0.0, 1.0) if seen else (1.0, 1.0, 1.0, 1.0)
        elif node.type == "MIX_SHADER":
            factor, first, second = (
                node.inputs[0],
                *(is_see_through(each, groups) for each in node.inputs[1:3]),
            )
            if first and second:
                _threshold(tree, factor, 0.5)
            elif first:
                _threshold(tree, factor, smallest(factor))
            elif second:
                _threshold(tree, factor, 1.0 - smallest(factor))
        elif node.type == "ADD_SHADER":
            through = [is_see_through(each, groups) for each in node.inputs[:2]]
            if any(through):
                # What is added to something transparent only shines: it hides nothing.
                for link in node.inputs[1 if through[0] else 0].links:
                    tree.links.remove(link)


def _threshold(tree: Tree, socket: Socket, at: float) -> None:
    """Put 1 into a socket where its value is greater, else 0."""
    test = tree.nodes.new("ShaderNodeMath")
    test.operation = "GREATER_THAN"
    test.inputs[1].default_value = at
    if socket.is_linked:
        tree.links.new(socket.links[0].from_socket, test.inputs[0])
    else:
        test.inputs[0].default_value = socket.default_value
    tree.links.new(test.outputs[0], socket)


def _is_volume(tree: Tree) -> bool:
    """Whether a material has an inside and no surface, or one that only lets light through."""
    output = tree.get_output_node("CYCLES")
    if output is None or not output.inputs["Volume"].is_linked:
        return False
    surface = output.inputs["Surface"]
    return not surface.is_linked or surface.links[0].from_node.type == "BSDF_TRANSPARENT"


def _shows_only(
    thing: bpy.types.Object, graph: bpy.types.Depsgraph, materials: set[bpy.types.Material]
) -> bool:
    used = _materials(thing, graph)
    return used <= materials if used else thing.type == "VOLUME"


def _decide_volume(tree: Tree, labelled: bool) -> None:
    """Turn a volume into a solid body, or into nothing; what has a surface needs no inside."""
    output = tree.get_output_node("CYCLES")
    if output is None or not output.inputs["Volume"].is_linked:
        return
    inside = output.inputs["Volume"].links[0]
    if _is_volume(tree):
        body = tree.nodes.new("ShaderNodeEmission" if labelled else "ShaderNodeBsdfTransparent")
        tree.links.new(body.outputs[0], output.inputs["Surface"])
    if not labelled or inside.from_node.type != "PRINCIPLED_VOLUME":
        tree.links.remove(inside)
        return
    # Cycles finds the outline of a grid only where the shader asks for it; a ray from inside must not scatter.
    haze = tree.nodes.new("ShaderNodeVolumePrincipled")
    haze.inputs["Density Attribute"].default_value = inside.from_node.inputs[
        "Density Attribute"
    ].default_value
    haze.inputs["Density"].default_value = 1e-6
    haze.inputs["Color"].default_value = (0.0, 0.0, 0.0, 1.0)
    tree.links.new(haze.outputs[0], output.inputs["Volume"])


def _keep_indices(tree: Tree, material_index: int, objects: list[bpy.types.Object]) -> None:
    """Let a tree that reads pass indices read those that were there before the label pass wrote its own."""
    for node in [each for each in tree.nodes if each.type == "OBJECT_INFO"]:
        if links := list(node.outputs["Object Index"].links):
            own = tree.nodes.new("ShaderNodeAttribute")
            own.attribute_type, own.attribute_name = "OBJECT", _OWN_INDEX
            for thing in objects:
                thing[_OWN_INDEX] = thing.pass_index
            for link in links:
                tree.links.new(own.outputs["Fac"], link.to_socket)
        if links := list(node.outputs["Material Index"].links):
            value = tree.nodes.new("ShaderNodeValue")
            value.outputs[0].default_value = material_index
            for link in links:
                tree.links.new(value.outputs[0], link.to_socket)
