# SPDX-License-Identifier: Apache-2.0
"""The labels that the graphics card draws are those that Cycles renders, but for pixels on borders."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from spade_backdrops.example.valley import build_valley
from spade_backdrops.overlay.live import LiveLabels, camera_looks
from spade_backdrops.properties import settings
from spade_backdrops.scene.label_pass import render_label_map
from spade_backdrops.scene.label_rules import assign, auto_assign


@pytest.fixture
def labels(graphics):
    found = LiveLabels(of_render=True)
    yield found
    del found  # what is left on the graphics card at Blender's end is reported


def drawn(labels, shape) -> np.ndarray:
    bpy.context.view_layer.update()
    labels.update_now(bpy.context)
    return labels.ids(shape[::-1], camera_looks(bpy.context))


def borders(label_map: np.ndarray) -> np.ndarray:
    """Pixels beside one of another class."""
    found = np.zeros(label_map.shape, bool)
    for rows, columns in ((0, 1), (1, 0), (1, 1), (1, -1)):
        other = np.roll(label_map, (rows, columns), (0, 1)) != label_map
        found |= other | np.roll(other, (-rows, -columns), (0, 1))
    return found


def compare(scene, labels, shape, share) -> None:
    rendered = render_label_map(scene, shape).label_map
    differ = drawn(labels, shape) != rendered
    assert differ.mean() <= share and not (differ & ~borders(rendered)).any()


def test_the_example_valley_is_drawn_as_it_is_rendered(scene, labels):
    build_valley(scene)
    auto_assign(scene)
    compare(scene, labels, (288, 512), 1e-4)


@pytest.mark.parametrize("kind", ["PERSP", "ORTHO"])
def test_shift_aspect_and_modifiers_are_in_it(yard, labels, kind):
    camera = yard.camera
    camera.data.type, camera.data.ortho_scale = kind, 40
    camera.data.shift_x, camera.data.shift_y = 0.1, -0.2
    yard.render.resolution_x, yard.render.resolution_y, yard.render.pixel_aspect_y = 640, 300, 1.7
    rock = bpy.data.objects["Rock"]
    rock.modifiers.new("Round", "SUBSURF").render_levels = 1
    copies = rock.modifiers.new("Copies", "ARRAY")
    copies.count, copies.relative_offset_displace = 3, (0, 1.2, 0.1)
    compare(yard, labels, (160, 256), 2e-4)


def test_what_the_render_hides_is_not_drawn_and_sources_of_instances_are_only_there_as_these(
    scene, pixels, labels
):
    pixels.camera()
    hidden = pixels.box("Hidden", (0, 0, 20, 20))
    hidden.hide_render = True
    assign(scene, hidden, "rock")
    folder = bpy.data.collections.new("Not rendered")
    scene.collection.children.link(folder)
    folder.hide_render = True
    assign(scene, pixels.box("Inside", (20, 0, 40, 20), inside=folder), "rock")
    source = pixels.source_collection("Woods", (0, 0, 8, 8))
    assign(scene, pixels.instance(source, (30, 30)), "tree")
    settings(scene).background_class = "sky"
    compare(scene, labels, (48, 64), 0)


def test_hair_and_volumes_are_named_as_what_cannot_be_drawn(yard, labels):
    fog = bpy.data.objects.new("Fog", bpy.data.volumes.new("Fog"))
    yard.collection.objects.link(fog)
    drawn(labels, (32, 64))
    assert labels.unseen == ("Fog",)
