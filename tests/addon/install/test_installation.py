# SPDX-License-Identifier: GPL-3.0-or-later
"""Installing the server: with Blender's own Python, venv and pip, in a process of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from spade_backdrops.contract.errors import BusyError, CannotWriteError, ForbiddenError, UnavailableError
from spade_backdrops.install import wheels
from spade_backdrops.install.environment import installed_in
from spade_backdrops.install.installation import InstallState
from spade_backdrops.install.installer import Installer
from spade_backdrops.install.plan import plan_from_folder, plan_from_network
from spade_backdrops.install.worker import RECORD

from tests.addon.install.small_wheels import server_wheel, torch_wheel
from tests.addon.serving import until

SECONDS = 100


@pytest.fixture(scope="module")
def packages(tmp_path_factory) -> Path:
    """A folder of wheels that has all that the server needs."""
    return torch_wheel(tmp_path_factory.mktemp("Räder 轮子")).parent


@pytest.fixture
def bundle(tmp_path, monkeypatch) -> Path:
    """Where the add-on's own server lies."""
    monkeypatch.setattr(wheels, "BUNDLED", tmp_path / "server_wheel")
    server_wheel(wheels.BUNDLED)
    return wheels.BUNDLED


@pytest.fixture
def installer(tmp_path, bundle):
    with_spaces = Installer(tmp_path / "Benutzer ñ" / "server")
    yield with_spaces
    with_spaces.close()


@pytest.fixture(scope="module")
def first(tmp_path_factory, packages):
    """The one installation that the tests of what comes after it begin with: (its root, how it ended, what it said)."""
    folder = tmp_path_factory.mktemp("first")
    installer = Installer(folder / "Benutzer ñ" / "server")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wheels, "BUNDLED", folder / "server_wheel")
        server_wheel(wheels.BUNDLED)
        running = installer.start(plan_from_folder(installer.root, wheels.bundled_wheel(), packages))
        seen: list[tuple[str, float]] = []
        until(
            lambda: installer.step() is running,
            lambda: seen.append((running.stage, running.fraction)),
            SECONDS,
        )
    return installer.root, running, seen


@pytest.fixture
def installed(first, installer) -> Installer:
    """With a copy of the first installation."""
    shutil.copytree(first[0], installer.root, symlinks=True)
    return Installer(installer.root)


def install(installer: Installer, packages: Path):
    running = installer.start(plan_from_folder(installer.root, wheels.bundled_wheel(), packages))
    until(lambda: installer.step() is running, lambda: None, SECONDS)
    return running


def environments(root: Path) -> list[str]:
    return sorted(entry.name for entry in root.iterdir() if entry.is_dir()) if root.is_dir() else []


def test_what_is_installed_starts_without_a_word_of_the_network(first):
    root, ended, _ = first
    assert ended.state is InstallState.DONE, ended.log_text()
    found = installed_in(root)
    assert (found.version, found.torch, found.device, found.works) == ("0.1.0", "2.13.0+cpu", "cpu", True)
    said = subprocess.run(found.command, capture_output=True, text=True, timeout=60)
    assert said.stdout.strip() == f"no server {found.folder}"
    assert not (found.folder / "tmp").exists(), "what pip unpacked in is left"
    assert "--no-index" in ended.log_text()


def test_it_says_how_far_it_is(first):
    _, running, seen = first
    stages = list(dict.fromkeys(stage for stage, _ in seen if stage))
    assert stages[0] == "Making an environment" and running.fraction == 1.0
    assert [fraction for _, fraction in seen] == sorted(fraction for _, fraction in seen)


def test_starting_stepping_and_cancelling_never_wait(installer, packages):
    plan = plan_from_folder(installer.root, wheels.bundled_wheel(), packages)
    longest = 0.0

    def timed(action):
        nonlocal longest
        began = time.monotonic()
        action()
        longest = max(longest, time.monotonic() - began)

    timed(lambda: installer.start(plan))
    for _ in range(20):
        timed(installer.step)
        time.sleep(0.02)
    running = installer.running
    timed(running.cancel)
    until(lambda: running.has_ended, lambda: timed(installer.step), SECONDS)
    assert longest < 0.1


def test_a_cancelled_one_leaves_nothing_behind_and_can_be_repeated(installer, packages):
    running = installer.start(plan_from_folder(installer.root, wheels.bundled_wheel(), packages))
    until(lambda: environments(installer.root), installer.step, SECONDS)
    running.cancel()
    until(lambda: running.has_ended, installer.step, SECONDS)
    assert running.state is InstallState.CANCELLED and running.error is None
    assert environments(installer.root) == [] and installer.installed is None
    assert install(installer, packages).state is InstallState.DONE


def test_one_that_breaks_is_a_sentence_leaves_nothing_and_keeps_what_was_there(installed, packages, bundle):
    installer = installed
    before = installer.installed
    server_wheel(bundle, "0.2.0", "Requires-Dist: nowhere-to-be-found")
    assert installer.update == "0.2.0"
    ended = install(installer, packages)
    assert ended.state is InstallState.FAILED
    assert "nowhere-to-be-found" in ended.error.message and "wheels" in ended.error.fix
    assert installer.installed == before and environments(installer.root) == [before.folder.name]


def test_one_that_does_not_start_does_not_count(installer, packages, bundle):
    server_wheel(bundle, program="import a_module_that_is_missing\n")
    ended = install(installer, packages)
    assert ended.state is InstallState.FAILED and "does not start" in ended.error.message
    assert environments(installer.root) == [] and installer.installed is None


def test_an_update_takes_the_place_of_the_old_one(installed, packages, bundle):
    installer = installed
    old = installer.installed.folder
    server_wheel(bundle, "0.2.0")
    install(installer, packages)
    assert installer.installed.version == "0.2.0" and installer.update == ""
    installer.sweep()
    until(lambda: not old.exists(), lambda: None)
    assert environments(installer.root) == [installer.installed.folder.name]


def test_a_removed_one_is_gone_from_the_disk(installed):
    installed.remove()
    assert installed.installed is None
    until(lambda: list(installed.root.iterdir()) == [], lambda: None)


def test_two_at_once_are_refused(installer, packages):
    plan = plan_from_folder(installer.root, wheels.bundled_wheel(), packages)
    running = installer.start(plan)
    for refused in (lambda: installer.start(plan), installer.remove):
        with pytest.raises(BusyError):
            refused()
    running.cancel()
    until(lambda: running.has_ended, installer.step, SECONDS)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no KILL")
def test_what_a_killed_installation_leaves_is_swept_with_the_next_start(installer, packages):
    running = installer.start(plan_from_folder(installer.root, wheels.bundled_wheel(), packages))
    until(lambda: environments(installer.root), installer.step, SECONDS)
    os.killpg(running._process.pid, signal.SIGKILL)
    until(lambda: running.has_ended, installer.step, SECONDS)
    assert running.state is InstallState.FAILED and installed_in(installer.root) is None
    again = Installer(installer.root)
    until(lambda: environments(again.root) == [], lambda: None)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no KILL")
def test_a_killed_blender_leaves_nothing_behind(tmp_path, packages, bundle):
    root = tmp_path / "server"
    program = (
        "import sys, time; from pathlib import Path; import bpy; sys.path.insert(0, sys.argv[4])\n"
        "from spade_backdrops.install import wheels\n"
        "from spade_backdrops.install.installation import Installation\n"
        "from spade_backdrops.install.plan import plan_from_folder\n"
        "root, packages, wheels.BUNDLED = map(Path, sys.argv[1:4])\n"
        "running = Installation(plan_from_folder(root, wheels.bundled_wheel(), packages), root / 'install.log')\n"
        "time.sleep(60)\n"
    )
    words = [
        sys.executable,
        "-c",
        program,
        *map(str, (root, packages, bundle, Path(wheels.__file__).parents[2])),
    ]
    blender = subprocess.Popen(words)
    until(lambda: environments(root), lambda: None, SECONDS)
    blender.kill()
    blender.wait()
    until(lambda: environments(root) == [], lambda: None, SECONDS)
    assert not (root / RECORD).exists()


def test_an_environment_whose_blender_is_gone_is_told_apart(installed):
    installed.installed.python.unlink()
    assert not installed_in(installed.root).works


# --- what is said before anything starts ---


def test_too_little_space_is_said_in_gigabytes(installer, packages, monkeypatch):
    small = shutil._ntuple_diskusage(10, 10, 12)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: small)
    with pytest.raises(CannotWriteError, match="GB"):
        plan_from_folder(installer.root, wheels.bundled_wheel(), packages)
    assert not installer.root.exists()


def test_without_the_users_yes_there_is_no_network(installer):
    with pytest.raises(ForbiddenError) as refused:
        plan_from_network(installer.root, wheels.bundled_wheel(), may_go_online=False, fix="Turn it on.")
    assert "online" in refused.value.message and refused.value.fix == "Turn it on."


def test_with_it_the_plan_says_which_torch_and_why_in_one_sentence(installer):
    plan = plan_from_network(installer.root, wheels.bundled_wheel(), may_go_online=True, fix="")
    assert plan.sentence.startswith("Installs PyTorch for ") and "because" in plan.sentence
    assert plan.sentence.count(". ") == 0 and "GB" in plan.sentence


def test_a_folder_without_torch_for_this_python_says_for_which_it_is(installer, tmp_path):
    folder = tmp_path / "old"
    folder.mkdir()
    (folder / "torch-2.13.0-cp39-cp39-win_amd64.whl").touch()
    with pytest.raises(UnavailableError) as refused:
        plan_from_folder(installer.root, wheels.bundled_wheel(), folder)
    here = "{}.{}".format(*sys.version_info)
    assert f"Python {here}" in refused.value.message and "cp39" in refused.value.message


def test_a_folder_that_does_not_exist_is_said(installer, tmp_path):
    with pytest.raises(UnavailableError, match="no folder"):
        plan_from_folder(installer.root, wheels.bundled_wheel(), tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (">=3.14", "3.14 or newer"),
        (">=3.7,<3.9", "3.7 to 3.8"),
        ("<3.9,>=3.7", "3.7 to 3.8"),
        ("<3.9", "<3.9"),
    ],
)
def test_a_server_for_another_python_is_said(installer, packages, bundle, asked, said):
    server_wheel(bundle, "0.1.0", f"Requires-Python: {asked}")
    here = "{}.{}".format(*sys.version_info)
    with pytest.raises(UnavailableError, match=f"needs Python {said}, this Blender has {here}"):
        plan_from_folder(installer.root, wheels.bundled_wheel(), packages)


def test_a_damaged_wheel_in_the_zip_is_said(bundle):
    file = next(bundle.glob("*.whl"))
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(UnavailableError, match="damaged") as refused:
        wheels.bundled_wheel()
    assert "zip" in refused.value.fix


def test_an_add_on_without_a_server_inside_is_said(bundle):
    shutil.rmtree(bundle)
    assert wheels.bundled_version() == ""
    with pytest.raises(UnavailableError, match="no server inside"):
        wheels.bundled_wheel()


def test_a_python_that_cannot_make_environments_is_said_before_anything_starts(
    installer, packages, monkeypatch
):
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    with pytest.raises(UnavailableError, match="lacks ensurepip") as refused:
        plan_from_folder(installer.root, wheels.bundled_wheel(), packages)
    assert "python3-venv" in refused.value.fix
