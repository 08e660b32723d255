# SPDX-License-Identifier: GPL-3.0-or-later
"""The court of the projections, whose pictures are shown as layers, and a server that paints at once."""

from __future__ import annotations

import pytest

from tests.addon.serving import command, renew_session


@pytest.fixture(scope="module")
def server(addon):
    """The add-on's preferences with a server that answers at once."""
    import bpy
    from spade_backdrops.preferences import preferences

    renew_session()
    entry = bpy.context.preferences.addons.new()
    entry.module = "spade_backdrops"
    preferences().server, preferences().server_command = "LOCAL", command()
    yield
    renew_session()
    bpy.context.preferences.addons.remove(entry)


@pytest.fixture
def court(scene, server):
    """The scene of the court, to be placed as layers."""
    from spade_backdrops.properties import settings

    from tests.addon.place.projection import court

    court.build(scene)
    settings(scene).placement, settings(scene).show = "LAYERS", "PICTURE"
    return scene
