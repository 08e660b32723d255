# SPDX-License-Identifier: Apache-2.0
"""Live painting needs a server, a scene, and a graphics card: Blender as a module has one once something was drawn."""

from __future__ import annotations

import pytest

from tests.addon.operators.conftest import stored_preferences, valley

__all__ = ["stored_preferences", "valley"]


@pytest.fixture(scope="session")
def graphics(addon):
    """Wakes Blender's own drawing, without a window."""
    import bpy
    import gpu

    if hasattr(gpu, "init"):
        gpu.init()
        return
    scene = bpy.data.scenes.new("First drawing")
    scene.render.engine, scene.camera = "BLENDER_WORKBENCH", None
    camera = bpy.data.objects.new("First drawing", bpy.data.cameras.new("First drawing"))
    scene.collection.objects.link(camera)
    scene.camera, scene.render.resolution_x, scene.render.resolution_y = camera, 8, 8
    bpy.ops.render.render(scene=scene.name)
