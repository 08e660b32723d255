# SPDX-License-Identifier: GPL-3.0-or-later
"""Real Blender, as a Python module: the staged add-on is registered once, every test starts in an empty file.

Blender 4.5 hangs for ever at exit while a panel, operator or timer is registered. So everything is
unregistered at the end, and tests as well as the exit have a time after which the process ends with a
traceback.
"""

from __future__ import annotations

import faulthandler
import importlib
import importlib.util
import math
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SECONDS_A_TEST = 120
SECONDS_TO_EXIT = 30

HAS_BLENDER = importlib.util.find_spec("bpy") is not None
collect_ignore_glob = [] if HAS_BLENDER else ["*test_*.py"]

if HAS_BLENDER:
    from build_steps.staging import stage

    sys.path[:0] = [str(stage().parent), str(Path(__file__).parent)]
    importlib.invalidate_caches()  # in a fresh clone the folder was looked for before it was there


def pytest_report_header() -> str:
    if not HAS_BLENDER:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        return f"blender: none for Python {version}, its tests are left out"
    import bpy

    return f"blender: {bpy.app.version_string}"


@pytest.fixture(scope="session")
def addon() -> Iterator[None]:
    """The whole add-on, registered as Blender does it."""
    import spade_backdrops

    spade_backdrops.register()
    yield
    spade_backdrops.unregister()
    faulthandler.dump_traceback_later(SECONDS_TO_EXIT, exit=True)


@pytest.fixture(autouse=True)
def _not_for_ever(request: pytest.FixtureRequest) -> Iterator[None]:
    longer = request.node.get_closest_marker("timeout")
    faulthandler.dump_traceback_later(longer.args[0] if longer else SECONDS_A_TEST, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture
def scene(addon):
    """The scene of a new, empty file."""
    import bpy

    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    return bpy.context.scene


@pytest.fixture
def pixels(scene):
    """Builds scenes of which every pixel is known: see `Pixels`."""
    return importlib.import_module("pixel_scene").Pixels(scene)


@pytest.fixture
def snapshot():
    """Takes down what a user could see of the file, to compare before and after."""
    return importlib.import_module("pixel_scene").snapshot


@pytest.fixture
def yard(scene, pixels):
    """A few boxes on a plane under a sun, seen by a camera at eye height: quick to render."""
    import bpy
    from spade_backdrops.scene.label_rules import auto_assign

    camera = pixels.camera()
    camera.name, camera.data.type, camera.location = "Eye", "PERSP", (0, -20, 3)
    camera.rotation_euler = (math.radians(87), 0, 0)
    scene.collection.objects.link(bpy.data.objects.new("Sun", bpy.data.lights.new("Sun", "SUN")))
    bpy.ops.mesh.primitive_plane_add(size=300)
    bpy.context.object.name = "Grass"
    for name, x, y in (("Rock", -5, 4), ("House", 4, 9), ("Tree", 0, 16), ("Mountain", -9, 40)):
        bpy.ops.mesh.primitive_cube_add(size=6, location=(x, y, 2))
        bpy.context.object.name = name
    auto_assign(scene)
    bpy.context.view_layer.update()
    return scene
