# SPDX-License-Identifier: GPL-3.0-or-later
"""A batch needs a server and a file of several cameras, view layers and scenes."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests.addon.operators.conftest import stored_preferences, valley

__all__ = ["stored_preferences", "valley"]


@pytest.fixture
def file(valley, stored_preferences, tmp_path):
    """Two scenes: one with two cameras and two view layers, of which the second lacks a rock; one with a camera."""
    import bpy
    from spade_backdrops.properties import settings
    from spade_backdrops.scene.label_rules import assign
    from spade_backdrops.session import current_session

    from tests.addon.serving import command

    stored_preferences.server, stored_preferences.server_command = "LOCAL", command()
    current_session().dismiss()
    rocks = bpy.data.collections.new("Rocks")
    valley.collection.children.link(rocks)
    bpy.ops.mesh.primitive_cube_add(size=4, location=(0, 0, 2))
    rock = bpy.context.object
    valley.collection.objects.unlink(rock)
    rocks.objects.link(rock)
    assign(valley, rock, "rock")
    bare = valley.view_layers.new("Bare")
    bare.layer_collection.children["Rocks"].exclude = True
    second = valley.camera.copy()
    second.data, second.name = valley.camera.data.copy(), "Zweite"
    second.location.x = 3
    valley.collection.objects.link(second)
    other = valley.copy()
    other.name, other.camera = "Andere", second
    settings(other).seed = 5
    other.use_fake_user = True  # as scenes that are made in a window have a user
    settings(valley).natural_edges = settings(other).natural_edges = 0.0
    other.collection.objects.unlink(valley.camera)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "viele.blend"))
    return SimpleNamespace(scene=valley, other=other, first=valley.camera, second=second, folder=tmp_path)
