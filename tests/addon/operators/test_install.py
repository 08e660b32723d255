# SPDX-License-Identifier: GPL-3.0-or-later
"""Install Server, as a script and as the panel see it."""

from __future__ import annotations

import sys

import bpy
import pytest
from spade_backdrops import preferences as module
from spade_backdrops import timer
from spade_backdrops.folders import server_root
from spade_backdrops.install import wheels
from spade_backdrops.install.installer import current_installer
from spade_backdrops.preferences import server_command
from spade_backdrops.session import current_session

from tests.addon.drawing import drawn
from tests.addon.install.small_wheels import server_wheel, torch_wheel
from tests.addon.serving import renew_session, until


@pytest.fixture
def packages(scene, tmp_path, monkeypatch):
    """A folder of wheels, and an add-on with a server inside, on a computer that has none."""
    renew_session()
    monkeypatch.setattr(wheels, "BUNDLED", tmp_path / "server_wheel")
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    server_wheel(wheels.BUNDLED)
    yield torch_wheel(tmp_path / "wheels").parent
    current_installer().remove()
    until(lambda: not [each for each in server_root().iterdir() if each.is_dir()], lambda: None)
    renew_session()


def test_a_script_installs_updates_and_removes_with_operators_alone(packages):
    assert bpy.ops.spade.install_server(wheels=str(packages)) == {"FINISHED"}
    installed = current_installer().installed
    assert server_command() == installed.command
    texts = drawn("SPADE_PT_server")
    assert "Install Server" not in texts and "Start Server" in texts
    server_wheel(wheels.BUNDLED, "0.2.0")
    assert "Update to 0.2.0" in drawn("SPADE_PT_server")
    assert bpy.ops.spade.install_server(wheels=str(packages)) == {"FINISHED"}
    assert current_installer().installed.version == "0.2.0"
    until(lambda: not installed.folder.exists(), timer.step)
    assert bpy.ops.spade.remove_server() == {"FINISHED"}
    assert "Install Server" in drawn("SPADE_PT_server")


def test_while_it_installs_the_panel_shows_how_far_it_is_and_cancel(packages, monkeypatch):
    operator = sys.modules["spade_backdrops.operators.install"]
    running = current_installer().start(
        operator.plan_from_folder(server_root(), operator.bundled_wheel(), packages)
    )
    until(lambda: running.stage, timer.step)
    texts = drawn("SPADE_PT_server")
    assert texts[0].startswith("Installing ") and "Making an environment" in " ".join(texts)
    assert bpy.ops.spade.cancel_install() == {"FINISHED"}
    until(lambda: current_installer().running is None, timer.step)
    assert "Install Server" in drawn("SPADE_PT_server")


def test_where_no_server_is_installed_generate_offers_to_install_one(packages):
    with pytest.raises(RuntimeError, match="not installed"):
        current_session().connect()
        current_session().step()
        error = current_session().connection.error
        current_session().show(error)
        raise RuntimeError(error.message)
    texts = drawn("SPADE_PT_backdrop")
    assert "Install Server" in texts and "I Have One" in texts


def test_offline_is_a_sentence_with_both_ways_out(packages):
    if bpy.app.online_access:
        pytest.skip("this Blender may go online")
    with pytest.raises(RuntimeError, match="may not go online.*folder of wheels"):
        bpy.ops.spade.install_server()


def test_an_own_server_comes_before_the_installed_one(packages):
    entry = bpy.context.preferences.addons.new()
    entry.module = "spade_backdrops"
    try:
        module.preferences().server_command = sys.executable
        assert server_command() == (sys.executable, "-P", "-m", "spade_server")
        assert not module.is_missing()
    finally:
        bpy.context.preferences.addons.remove(entry)


def test_diagnostics_of_a_computer_without_a_server_are_written_all_the_same(packages, tmp_path):
    file = tmp_path / "help.zip"
    assert bpy.ops.spade.save_diagnostics(filepath=str(file)) == {"FINISHED"}
    assert file.is_file()
