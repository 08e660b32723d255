# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenes to render training pairs of."""

import pytest

bpy = pytest.importorskip("bpy")


@pytest.fixture
def view(scene, pixels):
    """A metre is a pixel; a white world lights everything."""
    scene.world = bpy.data.worlds.new("White")
    scene.world.color = (1.0, 1.0, 1.0)
    for node in scene.world.node_tree.nodes if scene.world.node_tree else ():
        if node.type == "BACKGROUND":
            node.inputs["Color"].default_value = (1.0, 1.0, 1.0, 1.0)
    return pixels.camera()


@pytest.fixture
def valley(scene):
    from spade_backdrops.example.valley import build_valley
    from spade_backdrops.scene.label_rules import auto_assign

    build_valley(scene)
    auto_assign(scene)
    return scene
