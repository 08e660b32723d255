# SPDX-License-Identifier: GPL-3.0-or-later
"""Before a render on the GPU, the server on this computer lets go of it: real renders, a real server."""

from __future__ import annotations

import os
import threading
import time

import bpy
import pytest
from spade_backdrops import free_device, timer
from spade_backdrops.bridge.connection import ConnectionState, ServerTarget
from spade_backdrops.bridge.server_command import find_command
from spade_backdrops.bridge.server_process import ServerLaunch
from spade_backdrops.session import current_session

from tests.addon.serving import command, renew_session, until


@pytest.fixture
def connection(scene, tmp_path):
    """With a server that is ready."""
    renew_session()
    session = current_session()
    config = ServerLaunch(find_command(command()), tmp_path, os.getpid())
    session.connection.open(ServerTarget(server=lambda: config))
    until(lambda: session.connection.state is ConnectionState.READY, session.step)
    yield session.connection
    renew_session()


def test_a_render_on_the_gpu_has_it_for_itself(connection, scene):
    scene.render.engine = "BLENDER_WORKBENCH"
    began = time.monotonic()
    free_device.before_render(scene)
    assert connection.welcome.state == "released"
    assert time.monotonic() - began < 2 * free_device.PATIENCE_S
    assert connection.state is ConnectionState.READY, "the next picture needs no other press"


def test_blender_asks_before_it_renders_and_never_for_a_render_on_the_processor(connection, scene, pixels):
    pixels.camera()
    scene.render.engine, scene.cycles.samples, scene.cycles.device = "CYCLES", 1, "CPU"
    scene.render.resolution_x = scene.render.resolution_y = 16
    assert free_device.before_render in bpy.app.handlers.render_init
    bpy.ops.render.render()
    until(lambda: connection.step() is not None, lambda: None)
    assert connection.welcome.state == "ready"


def test_a_render_in_a_thread_of_its_own_has_it_by_way_of_the_timer(connection, scene):
    scene.render.engine = "BLENDER_WORKBENCH"
    render = threading.Thread(target=free_device.before_render, args=(scene,))
    render.start()
    until(lambda: not render.is_alive(), timer.step)
    assert connection.welcome.state == "released"


def test_without_a_server_a_render_waits_for_nothing(scene):
    scene.render.engine = "BLENDER_WORKBENCH"
    began = time.monotonic()
    free_device.before_render(scene)
    assert time.monotonic() - began < 0.1
