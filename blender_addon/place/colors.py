# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes that bring a finished picture through a scene's view as it was painted.

Shaders know no tables of colours, so the inverse of the view lies in an image, blue in tiles side by side, packed into
the file: a picture looks the same in a Blender without this add-on. A group of nodes reads it.

Finding an inverse takes about a second. With a window it is found between redraws, and the picture is shown in its
nearest colour space until then; scripts wait for it.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import bpy
import numpy as np

from .image import has_color_space
from .node_builder import NodeBuilder
from .view_inverse import LIGHT_SCALE, PRIMARIES, STEPS, View, ViewInverse

# Custom properties of a group: whose inverse it is, and how much of all colours it misses. Older files have groups with
# a "spade_view", which EEVEE reads wrongly: they are made anew.
_VIEW, _MISSED = "spade_inverse_of", "spade_missed"
_STEP_S, _WAIT_S = 0.01, 0.5

_searches: dict[View, ViewInverse] = {}


def colors_group(scene: bpy.types.Scene) -> bpy.types.NodeTree | None:
    """The nodes for a scene's view; None while they are not there, or where a colour space is exact."""
    view = View.of(scene)
    if has_color_space(view):
        return None
    key = _key(view)
    return next((group for group in bpy.data.node_groups if group.get(_VIEW) == key), None)


def missed_colors(scene: bpy.types.Scene) -> float:
    """The share, 0..1, of all colours that a scene's view cannot show, as far as it is known."""
    group = colors_group(scene)
    return float(group[_MISSED]) if group is not None else 0.0


def find_colors(scene: bpy.types.Scene) -> None:
    """See to the nodes for a scene's view: a script waits for them here, with a window the search is begun."""
    view = View.of(scene)
    if has_color_space(view) or colors_group(scene) is not None:
        return
    search = _searches.setdefault(view, ViewInverse(view))
    if bpy.app.background:
        search.finish()
    if search.table is not None:
        _make_group(search, search.table)
    elif not bpy.app.timers.is_registered(_search_on):
        bpy.app.timers.register(_search_on, persistent=True)


def unregister() -> None:
    if bpy.app.timers.is_registered(_search_on):
        bpy.app.timers.unregister(_search_on)


def _search_on() -> float | None:
    search = next((each for each in _searches.values() if each.table is None), None)
    if search is None:
        return None
    if bpy.app.is_job_running("RENDER"):
        return _WAIT_S
    if search.step() and search.table is not None:
        _make_group(search, search.table)
        for scene in bpy.data.scenes:
            scene.update_tag()  # whoever follows updates finds the nodes now
    return _STEP_S


def _make_group(search: ViewInverse, table: np.ndarray) -> None:
    group = _new_group(f"Spade Colours {search.view.transform}", table)
    group[_VIEW], group[_MISSED] = _key(search.view), search.missed


def _key(view: View) -> str:
    return json.dumps(asdict(view))


def _table_image(name: str, table: np.ndarray) -> bpy.types.Image:
    """STEPS tiles side by side, one for each blue; red goes right in each, green goes up."""
    image = bpy.data.images.new(name, STEPS * STEPS, STEPS, float_buffer=True, is_data=True)
    pixels = np.ones((STEPS, STEPS, STEPS, 4), np.float32)
    pixels[..., :3] = table.transpose(1, 2, 0, 3)  # rows by green, then blue, then red
    flat: Any = pixels.ravel()
    image.pixels.foreach_set(flat)
    image.update()
    image.pack()
    return image


def table_in(group: bpy.types.NodeTree) -> np.ndarray:
    """The table of a group's nodes, as `ViewInverse` has it."""
    nodes: Any = group.nodes
    image = next(node.image for node in nodes if node.type == "TEX_IMAGE")
    pixels = np.empty((STEPS, STEPS, STEPS, 4), np.float32)
    flat: Any = pixels.ravel()
    image.pixels.foreach_get(flat)
    return pixels[..., :3].transpose(2, 0, 1, 3)


def _new_group(name: str, table: np.ndarray) -> bpy.types.NodeTree:
    group = bpy.data.node_groups.new(name, "ShaderNodeTree")
    assert group is not None
    sockets: Any = group.interface  # the stubs know one type of socket only
    sockets.new_socket("Picture", in_out="INPUT", socket_type="NodeSocketColor")
    sockets.new_socket("Light", in_out="OUTPUT", socket_type="NodeSocketColor")
    nodes = NodeBuilder(group)
    come, leave = nodes.new("NodeGroupInput"), nodes.new("NodeGroupOutput")
    color = nodes.new("ShaderNodeSeparateColor")
    group.links.new(come.outputs[0], color.inputs[0])
    mixed = _looked_up(nodes, _table_image(name, table), color.outputs)
    parts = nodes.new("ShaderNodeSeparateXYZ")
    group.links.new(mixed, parts.inputs[0])
    wide = nodes.vector(
        [nodes.math("MULTIPLY", nodes.math("SINH", part), LIGHT_SCALE) for part in parts.outputs]
    )
    light = nodes.vector([nodes.dot(wide, weights) for weights in PRIMARIES])
    group.links.new(light, leave.inputs[0])
    return group


def _looked_up(nodes: NodeBuilder, image: bpy.types.Image, color: Any) -> Any:
    """The entry of a table for a colour (red, green, blue), mixed of the eight around it.

    Each is read as it is and mixed here. Left to the image's own filter, EEVEE would read from smaller copies of the
    table, mipmaps, wherever neighbouring pixels differ much: false colours along every edge.
    """
    firsts, parts = [], []
    for value in color:
        place = nodes.math("MULTIPLY", value, STEPS - 1)
        firsts.append(nodes.math("MINIMUM", nodes.math("FLOOR", place), STEPS - 2))
        parts.append(nodes.math("SUBTRACT", place, firsts[-1]))
    left = nodes.math("MULTIPLY_ADD", firsts[2], STEPS, firsts[0])
    slices = []
    for blue in (0, 1):
        rows = []
        for green in (0, 1):
            row = nodes.math("DIVIDE", nodes.math("ADD", firsts[1], green + 0.5), STEPS)
            columns = [
                nodes.math("DIVIDE", nodes.math("ADD", left, blue * STEPS + red + 0.5), STEPS * STEPS)
                for red in (0, 1)
            ]
            rows.append(nodes.mix(parts[0], *(nodes.lookup(image, column, row) for column in columns)))
        slices.append(nodes.mix(parts[1], *rows))
    return nodes.mix(parts[2], *slices)
