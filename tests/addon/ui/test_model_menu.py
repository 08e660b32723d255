# SPDX-License-Identifier: GPL-3.0-or-later
"""The menu of models: filled by a real server, and true to the file without one."""

from __future__ import annotations

import os

import bpy
import pytest
from spade_backdrops.bridge.connection import ConnectionState, ServerTarget
from spade_backdrops.bridge.server_command import find_command
from spade_backdrops.bridge.server_process import ServerLaunch
from spade_backdrops.model_menu import listed_models
from spade_backdrops.properties import settings
from spade_backdrops.session import current_session

from tests.addon.serving import command, renew_session, until
from tests.server.trivial import write_checkpoint


@pytest.fixture(autouse=True)
def _own_session(addon):
    renew_session()
    yield
    renew_session()


def test_without_a_server_the_files_model_is_the_one_there_is(scene, tmp_path):
    settings(scene).model = "studio-alps"
    assert listed_models(settings(scene)) == ["studio-alps"]
    assert settings(scene).model_pick == "studio-alps"
    path = str(tmp_path / "alps.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    assert settings(bpy.context.scene).model == settings(bpy.context.scene).model_pick == "studio-alps"


def test_the_servers_models_are_listed_and_a_pick_is_stored_by_name(scene, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    write_checkpoint(folder, 1)
    settings(scene).model = "studio-alps"
    session = current_session()
    config = ServerLaunch(find_command(command("--models", "landscape", str(folder))), tmp_path, os.getpid())
    session.connection.open(ServerTarget(server=lambda: config))
    until(lambda: session.connection.state is ConnectionState.READY, session.step)
    until(lambda: len(listed_models(settings(scene))) == 3, session.step)
    assert settings(scene).model_pick == "studio-alps", "what the server lacks stays chosen"
    settings(scene).model_pick = "mine"
    assert settings(scene).model == "mine"
    assert listed_models(settings(scene)) == ["landscape", "mine"]
