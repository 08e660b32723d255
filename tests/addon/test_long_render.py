# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender renders for long while its jobs wait at the server: nothing of ours runs meanwhile, and nothing is lost.

In a Blender of its own, for what used to go wrong ended the process.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.addon.serving import ROOT, command
from tests.server.trivial import SLOW

RENDERING = """
import os, sys, time
import bpy
import numpy as np
import spade_backdrops
from spade_backdrops import timer
from spade_backdrops.bridge.connection import ConnectionState, ServerTarget
from spade_backdrops.bridge.jobs import LIVE_STATES, SceneRequest
from spade_backdrops.bridge.server_command import find_command
from spade_backdrops.bridge.server_process import ServerLaunch
from spade_backdrops.contract.labels import load_label_set
from spade_backdrops.session import current_session
from pathlib import Path

server, folder, jobs, slow, seconds = sys.argv[1], Path(sys.argv[2]), 16, int(sys.argv[3]), float(sys.argv[4])
spade_backdrops.register()
session = current_session()
session.connection.open(ServerTarget(server=lambda: ServerLaunch(find_command(server), folder, os.getpid())))
assert timer.run_until(lambda: session.connection.state is ConnectionState.READY, 60)
label_map, label_set = np.full((64, 64), 6, np.uint8), load_label_set("landscape")
waiting = [
    session.board.add(SceneRequest(label_map, label_set, "landscape", slow + n, n, "Scene", "", "Camera"))
    for n in range(jobs)
]
assert timer.run_until(lambda: all(job.id for job in waiting), 30)

scene = bpy.context.scene
scene.render.engine = "CYCLES"
scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 32, 32, 100
scene.cycles.samples, scene.cycles.use_adaptive_sampling, scene.cycles.time_limit = 2**24, False, seconds
began = time.monotonic()
bpy.ops.render.render()
assert time.monotonic() - began > 0.9 * seconds
assert timer.run_until(lambda: not session.board.live, 90)
print("states:", {job.state.name for job in waiting}, flush=True)
spade_backdrops.unregister()
"""


@pytest.mark.parametrize(
    "seconds", [12, pytest.param(120, marks=[pytest.mark.slow, pytest.mark.timeout(300)])]
)
def test_a_long_render_loses_no_picture_that_waits(tmp_path, seconds):
    words = (command(), str(tmp_path), str(SLOW + 1200), str(seconds))
    run = subprocess.run(
        [sys.executable, "-c", RENDERING, *words],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT / "build" / "stage")},
        capture_output=True,
        text=True,
        timeout=seconds + 150,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "states: {'FINISHED'}" in run.stdout
