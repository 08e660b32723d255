# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole way without a network: the real wheel and real packages from a folder, and a picture from them."""

from __future__ import annotations

import subprocess
import sys

import bpy
import pytest
from spade_backdrops.install import wheels
from spade_backdrops.install.installer import current_installer
from spade_backdrops.session import current_session

from build_steps import server_wheel
from build_steps.environments import CONSTRAINTS, Environment
from tests.addon.serving import PYTHON, renew_session

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """What build.py puts into a zip."""
    from pathlib import Path

    builder = Environment(Path(PYTHON).parents[1], (3, 11))
    folder = tmp_path_factory.mktemp("inside") / server_wheel.INSIDE
    folder.mkdir()
    for name, file in server_wheel.files(builder).items():
        (folder / Path(name).name).write_bytes(file.read_bytes())
    return folder


@pytest.fixture(scope="module")
def packages(bundle, tmp_path_factory):
    """A folder that was filled as the page says, with torch for the processor."""
    folder = tmp_path_factory.mktemp("packages")
    words = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--only-binary",
        ":all:",
        "--dest",
        str(folder),
    ]
    wheel = next(bundle.glob("*.whl"))
    ended = subprocess.run(
        [*words, "--constraint", str(CONSTRAINTS), "torch==2.13.0+cpu", str(wheel)],
        capture_output=True,
        text=True,
        timeout=600,
    )
    if ended.returncode != 0:
        pytest.skip(f"this Python's torch for the processor is not at hand: {ended.stderr[-200:]}")
    return folder


def test_a_server_from_a_folder_of_wheels_paints(yard, bundle, packages, monkeypatch):
    monkeypatch.setattr(wheels, "BUNDLED", bundle)
    renew_session()
    try:
        assert bpy.ops.spade.install_server(wheels=str(packages)) == {"FINISHED"}
        installed = current_installer().installed
        assert (installed.torch, installed.device) == ("2.13.0+cpu", "cpu")
        yard.spade.width = yard.spade.height = 64
        assert bpy.ops.spade.generate() == {"FINISHED"}
        connection = current_session().connection
        assert connection.server.config.command == installed.command
        assert current_session().board.last_placed.rgb.std() > 5, "the picture is flat"
        assert bpy.ops.spade.remove_server() == {"FINISHED"}
    finally:
        renew_session()
