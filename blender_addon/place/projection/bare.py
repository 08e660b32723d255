# SPDX-License-Identifier: GPL-3.0-or-later
"""What no projection reaches, in the mean colour of its class: calmer to look at than the grey of blocks.

The colour lies on the object, as a custom property that its materials read, so that things share materials; that of a
class that a material was labelled with lies in the material's copy.
"""

from __future__ import annotations

import json
from typing import TypeAlias

import bpy
import numpy as np

from ...contract.labels import LabelSet
from ...scene.label_rules import scene_label_set
from ...scene.label_table import LabelTable
from ...scene.projected import PAINTED, is_painted
from ...scene.shader_tree import Tree
from .paint_over import MEAN, MEAN_NODE, PAINT_NODE

Means: TypeAlias = dict[str, tuple[float, ...]]
"""Red, green and blue, 0..1, as a picture's bytes are, by the names of classes."""

MEANS = "spade_means"
"""Custom property of a picture: its Means as JSON."""
_FEWEST = 16
"""Pixels: of fewer a mean says nothing."""
_NONE = (0.0, 0.0, 0.0, 0.0)  # the last number says that there is none


def mean_colors(rgb: np.ndarray, label_map: np.ndarray, label_set: LabelSet) -> Means:
    """The mean of a picture, (H, W, 3) uint8, in each class of its label map, (H, W) ids."""
    size = len(label_set.classes) and max(entry.id for entry in label_set.classes) + 1
    ids = np.minimum(label_map.ravel(), size).astype(np.int64)
    counts = np.bincount(ids, minlength=size)
    sums = [np.bincount(ids, weights=rgb[..., part].ravel(), minlength=size) for part in range(3)]
    return {
        entry.name: tuple(float(total[entry.id]) / int(counts[entry.id]) / 255 for total in sums)
        for entry in label_set.classes
        if counts[entry.id] >= _FEWEST
    }


def means_of(picture: bpy.types.Image) -> Means:
    """Those that the file keeps with a picture; earlier versions kept none."""
    return {name: tuple(color) for name, color in json.loads(picture.get(MEANS, "{}")).items()}


def color_bare(scene: bpy.types.Scene, things: list[bpy.types.Object], means: Means) -> None:
    """Give things, and the copies of labelled materials, the means of their classes; where there is none, none."""
    label_set = scene_label_set(scene)
    table = LabelTable(scene, label_set)
    by_id = {entry.id: (*means[entry.name], 1.0) for entry in label_set.classes if entry.name in means}
    for thing in things:
        if thing.library is None and thing.material_slots:
            thing[MEAN] = list(by_id.get(table.objects.get(thing, -1), _NONE))
            thing.update_tag(refresh={"OBJECT"})  # of itself Blender shows a custom property to renders only
    for material in filter(is_painted, bpy.data.materials):
        class_id = table.materials.get(material)
        _set_in(
            material.node_tree, class_id is not None, by_id.get(-1 if class_id is None else class_id, _NONE)
        )


def forget_bare(thing: bpy.types.Object) -> None:
    """Take the colour off a thing that shows no projection any more."""
    if MEAN in thing:
        del thing[MEAN]


def _set_in(tree: Tree, by_material: bool, color: tuple[float, ...]) -> None:
    """Let a material's nodes, those in its groups too, take this colour, or what the object has."""
    group, object_color = (tree.nodes.get(name) for name in (PAINT_NODE, MEAN_NODE))
    if group is not None and object_color is not None:
        for name, output in (("Bare", "Color"), ("Has Bare", "Alpha")):
            socket = group.inputs[name]
            if not by_material:
                tree.links.new(object_color.outputs[output], socket)
                continue
            for link in list(socket.links):
                tree.links.remove(link)
        if by_material:
            group.inputs["Bare"].default_value = (*color[:3], 1.0)
            group.inputs["Has Bare"].default_value = color[3]
    for node in tree.nodes:
        if node.type == "GROUP" and node.node_tree is not None and PAINTED in node.node_tree:
            _set_in(node.node_tree, by_material, color)
