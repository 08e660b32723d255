# SPDX-License-Identifier: GPL-3.0-or-later
"""The session: one from register to unregister, with a real server, and nothing of it is left behind."""

from __future__ import annotations

import os
import signal
import time

import bpy
import numpy as np
import pytest
from spade_backdrops import session as module
from spade_backdrops import timer
from spade_backdrops.bridge.connection import ConnectionState, ServerTarget
from spade_backdrops.bridge.jobs import JobState, SceneRequest
from spade_backdrops.bridge.server_command import find_command
from spade_backdrops.bridge.server_process import ServerLaunch
from spade_backdrops.contract.errors import NoCameraError
from spade_backdrops.contract.labels import load_label_set
from spade_backdrops.session import current_session

from tests.addon.serving import command, renew_session, until

AT_ONCE_S = 0.1


@pytest.fixture(autouse=True)
def _own_session(addon):
    renew_session()
    yield
    renew_session()


@pytest.fixture
def served(tmp_path):
    """The session with a server that is ready."""
    session = current_session()
    config = ServerLaunch(find_command(command()), tmp_path, os.getpid())
    session.connection.open(ServerTarget(server=lambda: config))
    until(lambda: session.connection.state is ConnectionState.READY, session.step)
    return session


def request_for(model: str) -> SceneRequest:
    return SceneRequest(
        label_map=np.zeros((64, 64), np.uint8),
        label_set=load_label_set("landscape"),
        model=model,
        seed=0,
        scene_uid=1,
        scene_name="Szene",
        blend_file="",
        camera_name="",
    )


def test_what_went_wrong_is_shown_until_it_is_dismissed():
    session = current_session()
    error = NoCameraError("There is no camera.", fix="Add one.")
    session.show(error)
    assert session.error is error
    session.dismiss()
    assert session.error is None


def test_a_job_that_fails_is_shown(served):
    job = served.board.add(request_for("seascape"))
    served.step()
    assert job.state is JobState.FAILED and served.error is job.error


def test_unregistering_ends_the_server_and_leaves_no_session(served):
    server = served.connection.server
    timer.wake()
    timer.unregister()
    module.unregister()
    try:
        assert not server.is_running and not bpy.app.timers.is_registered(timer.tick)
        with pytest.raises(AssertionError):
            current_session()
    finally:
        module.register()


@pytest.mark.skipif(os.name == "nt", reason="SIGSTOP")
def test_leaving_a_server_that_hangs_takes_none_of_blenders_time(served):
    server = served.connection.server
    os.kill(server.pid, signal.SIGSTOP)  # it takes no TERM now, and answers nothing
    began = time.monotonic()
    bpy.ops.spade.stop_server()
    assert time.monotonic() - began < AT_ONCE_S
    assert served.connection.state is ConnectionState.OFF and not served.is_idle
    until(lambda: served.is_idle, timer.step)
    assert not server.is_running


@pytest.mark.skipif(os.name == "nt", reason="SIGSTOP")
def test_another_server_is_started_only_when_the_one_before_is_gone(served, tmp_path):
    connection, first = served.connection, served.connection.server
    os.kill(first.pid, signal.SIGSTOP)
    config = first.config
    began = time.monotonic()
    connection.open(ServerTarget(server=lambda: config))
    assert time.monotonic() - began < AT_ONCE_S and connection.server.pid is None
    until(lambda: connection.server.pid is not None, served.step)
    assert not first.is_running
    until(lambda: connection.state is ConnectionState.READY, served.step)


def test_a_timer_with_nothing_to_do_ends():
    assert timer.tick() is None
