# SPDX-License-Identifier: GPL-3.0-or-later
"""What `build.py addon` leaves in dist/: zips of a size, and a repository that Blender installs from."""

from __future__ import annotations

import functools
import http.server
import importlib.util
import json
import os
import re
import subprocess
import sys
import threading
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.system.test_newcomer import PYTHON, ROOT, zip_for_this_blender

MEGABYTES_WITHOUT_THE_SERVER = 4.0

if importlib.util.find_spec("bpy") is None:
    pytest.skip("there is no Blender module for this Python", allow_module_level=True)


@pytest.fixture(scope="module")
def dist() -> Path:
    return zip_for_this_blender().parent


def fresh(folder: Path) -> dict[str, str]:
    return {**os.environ, "BLENDER_USER_RESOURCES": str(folder / "profile"), "PYTHONPATH": ""}


def told(words: list[str], folder: Path) -> dict:
    """Run a program in a fresh profile; returns what it printed last, as JSON."""
    ended = subprocess.run(words, env=fresh(folder), cwd=folder, capture_output=True, text=True, timeout=240)
    lines = [
        line
        for line in ended.stdout.splitlines()
        if line.startswith(("{", "[")) and line.endswith(("}", "]"))
    ]
    assert lines, f"exit code {ended.returncode}\n{ended.stdout[-2000:]}\n{ended.stderr[-3000:]}"
    return json.loads(lines[-1])


@pytest.fixture(params=["file", "http"])
def repository(request, dist) -> str:
    """The address of dist/ as a studio shares it: by a network drive, or by a web server."""
    if request.param == "file":
        yield (dist / "index.json").as_uri()
        return
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(dist))
    handler.func.log_message = lambda *_: None
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/index.json"
        server.shutdown()


def test_blender_installs_from_the_repository_and_takes_the_zip_that_fits(repository, tmp_path):
    seen = told([sys.executable, str(Path(__file__).with_name("studio.py")), repository], tmp_path)
    assert seen["enabled"] and seen["operators"] > 20 and seen["unpacked"]
    (pyzmq,) = seen["pyzmq"]
    assert ("cp311" if sys.version_info[:2] == (3, 11) else "abi3") in pyzmq
    assert re.fullmatch(r"spade_backdrops-.*-py3-none-any\.whl", seen["server"]) and seen["constraints"]


def test_the_repository_lists_every_zip_with_its_blenders(dist):
    listed = json.loads((dist / "index.json").read_text(encoding="utf-8"))["data"]
    files = {entry["archive_url"].removeprefix("./") for entry in listed}
    assert files == {file.name for file in dist.glob("*.zip")}
    assert all(entry["website"].startswith("https://") and entry["maintainer"] for entry in listed)
    assert all(set(entry["permissions"]) == {"network", "files"} for entry in listed)
    page = (dist / "index.html").read_text(encoding="utf-8")
    assert all(name in page for name in files), "the download page"


def test_a_zip_is_small_but_for_the_server(dist):
    with zipfile.ZipFile(zip_for_this_blender()) as packed:
        server = sum(
            each.compress_size for each in packed.infolist() if each.filename.startswith("server_wheel/")
        )
        rest = zip_for_this_blender().stat().st_size - server
        wheels = tomllib.loads(packed.read("blender_manifest.toml").decode())["wheels"]
    assert rest < MEGABYTES_WITHOUT_THE_SERVER * 1e6 and server > 1e6
    assert not any("server_wheel" in name for name in wheels), (
        "Blender would unpack the server into its own Python"
    )


def test_the_example_for_scripts_runs_as_it_stands(tmp_path):
    page = (ROOT / "docs" / "addon.md").read_text(encoding="utf-8")
    example = re.search(r"## For scripts\n.*?```python\n(.*?)```", page, re.S)[1]
    assert len([line for line in example.splitlines() if line.strip()]) <= 12
    (tmp_path / "example.py").write_text(example, encoding="utf-8")
    before = (
        "import bpy, sys, addon_utils; addon_utils.enable('bl_pkg')\n"
        "bpy.ops.extensions.package_install_files(filepath=sys.argv[1], repo='user_default', enable_on_install=True)\n"
        "module = 'bl_ext.user_default.spade_backdrops'\n"
        "bpy.context.preferences.addons[module].preferences.server_command = sys.argv[2]\n"
        "exec(compile(open('example.py', encoding='utf-8').read(), 'example.py', 'exec'))\n"
        "import json, os; print('\\n' + json.dumps(sorted(os.listdir('.'))))\n"
        "addon_utils.disable(module)\n"
    )
    seen = told([sys.executable, "-c", before, str(zip_for_this_blender()), PYTHON], tmp_path)
    assert {"valley.blend", "valley.png"} <= set(seen)
