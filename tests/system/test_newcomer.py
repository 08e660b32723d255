# SPDX-License-Identifier: GPL-3.0-or-later
"""The built zip in a fresh Blender profile, the real server, and everything between a press and a saved file.

The story is told once, by newcomer.py in a Blender of its own; each test is one promise about it.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYTHON = os.environ.get("SPADE_SERVER_PYTHON") or str(ROOT / ".venv" / "bin" / "python")
MINUTES = 5
# Of 255. Standard shows the picture as it is. AgX has no exact inverse for a tagged image (see place/image.py), and
# colours that are bright and vivid at once it cannot show whatever they are tagged as.
DIFFERENCES = {
    "Standard": {"largest": 1, "mean": 0.5},
    "AgX": {"nine in ten": 6, "mean": 1.5},
}

if importlib.util.find_spec("bpy") is None:
    pytest.skip("there is no Blender module for this Python", allow_module_level=True)


@pytest.fixture(scope="module")
def story(tmp_path_factory) -> dict:
    """What newcomer.py saw, and how its process ended."""
    folder = tmp_path_factory.mktemp("Größe 谷")
    command = [sys.executable, str(Path(__file__).with_name("newcomer.py")), str(zip_for_this_blender())]
    profile = {**os.environ, "BLENDER_USER_RESOURCES": str(folder / "profile"), "PYTHONPATH": ""}
    began = time.monotonic()
    told = subprocess.run(
        [*command, server_command(), str(folder)],
        env=profile,
        cwd=folder,
        timeout=MINUTES * 60,
        capture_output=True,
        text=True,
        errors="replace",
    )
    report = folder / "report.json"
    if not report.exists():
        said = f"{told.stdout[-2000:]}\n{told.stderr[-3000:]}"
        pytest.fail(f"exit code {told.returncode}\n{said}", pytrace=False)
    seen = json.loads(report.read_text(encoding="utf-8"))
    return {**seen, "exit": told.returncode, "seconds": time.monotonic() - began, "stderr": told.stderr}


def zip_for_this_blender() -> Path:
    """The zip in dist/ for the Python of the Blender under test."""
    flavour = "py311" if sys.version_info[:2] == (3, 11) else "abi3"
    found = sorted(
        (ROOT / "dist").glob(f"spade_backdrops-*-{flavour}.zip"), key=lambda file: file.stat().st_mtime
    )
    sources = [*(ROOT / "blender_addon").rglob("*.*"), *(ROOT / "spade_core" / "contract").rglob("*.*")]
    newest = max(file.stat().st_mtime for file in sources if "__pycache__" not in file.parts)
    if not found or found[-1].stat().st_mtime < newest:
        pytest.fail("dist/ has no zip of these sources: run `python build.py addon` first", pytrace=False)
    return found[-1]


def server_command() -> str:
    """What the newcomer writes into the preferences: the Python the server is installed in."""
    return PYTHON


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_zip_installs_and_is_enabled(story):
    assert story["enabled"]


def test_zeromq_comes_with_the_extension(story):
    assert "extensions" in Path(story["zmq"]).parts


def test_a_press_is_a_placed_picture(story):
    assert story["shape"] == [160, 256, 3] and story["backdrops"] == 1
    assert story["colours"] > 1000, "the picture is flat"


def test_a_press_on_a_warm_server_takes_seconds(story):
    assert story["warm_s"] < 10


def test_the_picture_fills_the_cameras_frame_exactly(story):
    wanted = [[0, 0], [1, 0], [1, 1], [0, 1]]
    for corner, place in zip(story["corners"], wanted, strict=True):
        assert corner == pytest.approx(place, abs=1e-4)


@pytest.mark.parametrize("transform", ["Standard", "AgX"])
def test_rendered_pixels_are_the_generated_ones(story, transform):
    for measure, bound in DIFFERENCES[transform].items():
        assert story[transform][measure] <= bound, measure


def test_undo_removes_the_placement_and_redo_brings_it_back(story):
    assert (story["after_undo"], story["after_redo"]) == (0, 1)


def test_saving_and_loading_keeps_picture_and_labels(story):
    assert story["after_load"] == 1 and story["labels_after_load"] > 0
    assert story["packed"] and all(story["packed"])


def test_disabling_leaves_nothing_behind(story):
    assert story["left_types"] == [] and not story["left_settings"]


def test_blender_quits_clean_and_takes_its_server_along(story):
    assert story["exit"] == 0, story["stderr"][-3000:]
    assert not is_alive(story["server_pid"]) and not is_alive(story["last_server_pid"])
