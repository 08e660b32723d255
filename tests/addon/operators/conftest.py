# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of operators share: the add-on's preferences with a server that paints at once, and a small scene."""

from __future__ import annotations

import pytest

from tests.addon.serving import command, renew_session


@pytest.fixture(scope="module")
def stored_preferences(addon):
    """The add-on's preferences, as an enabled add-on has them; one session and server for all tests of a module."""
    import bpy
    from spade_backdrops.preferences import preferences

    renew_session()
    entry = bpy.context.preferences.addons.new()
    entry.module = "spade_backdrops"
    stored = preferences()
    stored.server, stored.server_command = "LOCAL", command()
    yield stored
    renew_session()
    bpy.context.preferences.addons.remove(entry)


@pytest.fixture
def valley(scene, stored_preferences):
    """A labelled scene with a camera."""
    import bpy
    from spade_backdrops.properties import settings

    bpy.ops.mesh.primitive_plane_add(size=60)
    bpy.context.object.name = "Wiese"
    bpy.ops.spade.assign_label(kind="OBJECT", class_name="grass")
    camera = bpy.data.objects.new("Kamera", bpy.data.cameras.new("Kamera"))
    camera.location, camera.rotation_euler = (0, -12, 3), (1.4, 0, 0)
    scene.collection.objects.link(camera)
    scene.camera = camera
    settings(scene).width = settings(scene).height = 128
    return scene
