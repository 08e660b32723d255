# SPDX-License-Identifier: GPL-3.0-or-later
"""What the add-on brings into Blender: all of it says what it is, works without a window, and goes again."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import bpy

SEEN_BEFORE_AND_AFTER = """
import sys; sys.path.insert(0, sys.argv[1])
import atexit, os, tempfile
from pathlib import Path
import bpy

def seen():
    handlers = {name: [repr(each) for each in getattr(bpy.app.handlers, name)] for name in dir(bpy.app.handlers)
                if isinstance(getattr(bpy.app.handlers, name), list)}
    types = sorted(dir(bpy.types))
    groups = (bpy.types.Scene, bpy.types.Object, bpy.types.WindowManager, bpy.types.Image, bpy.types.Material,
              bpy.types.Collection, bpy.types.Camera, bpy.types.World, bpy.types.Screen)
    properties = {kind.__name__: sorted(kind.bl_rna.properties.keys()) + sorted(vars(kind)) for kind in groups}
    keys = bpy.context.window_manager.keyconfigs.addon
    keymaps = {each.name: len(each.keymap_items) for each in keys.keymaps} if keys else {}
    operators = sorted(dir(bpy.ops.spade))
    menus = {name: len(getattr(getattr(bpy.types, name).draw, "_draw_funcs", ())) for name in types
             if hasattr(getattr(getattr(bpy.types, name), "draw", None), "_draw_funcs")}
    files = sorted(str(file) for place in (os.environ["BLENDER_USER_RESOURCES"], tempfile.gettempdir(), bpy.app.tempdir)
                   for file in Path(place).rglob("*"))
    return {"handlers": handlers, "types": types, "properties": properties, "keymaps": keymaps, "menus": menus,
            "operators": operators, "files": files, "blocks": [len(each) for each in (bpy.data.images, bpy.data.scenes,
            bpy.data.worlds, bpy.data.materials, bpy.data.node_groups, bpy.data.texts, bpy.data.brushes)]}

before = seen()
import spade_backdrops
for _ in range(2):
    spade_backdrops.register()
    bpy.context.scene.spade.seed = 3
    spade_backdrops.timer.wake()
    spade_backdrops.timer.step()
    spade_backdrops.unregister()
assert not bpy.app.timers.is_registered(spade_backdrops.timer.tick), "a timer"
after = seen()
for what in before:
    assert after[what] == before[what], (what, before[what], after[what])
print("nothing is left")
"""


def our_types() -> list[type]:
    """Every class of ours that is registered."""
    names = (name for name in dir(bpy.types) if name.upper().startswith("SPADE"))
    kinds = [getattr(bpy.types, name) for name in names]
    from spade_backdrops.preferences import SpadePreferences

    return [*kinds, SpadePreferences]


def test_every_property_of_ours_has_a_tooltip(addon):
    missing = []
    for kind in our_types():
        inherited = {"rna_type", "bl_rna", *(bpy.types.PropertyGroup.bl_rna.properties.keys())}
        for base in kind.__mro__[1:]:
            if hasattr(base, "bl_rna") and not base.__name__.upper().startswith("SPADE"):
                inherited |= set(base.bl_rna.properties.keys())
        annotated = {name for base in kind.__mro__ for name in getattr(base, "__annotations__", {})}
        for name, described in kind.bl_rna.properties.items():
            if name in annotated and name not in inherited and not described.description:
                missing.append(f"{kind.__name__}.{name}")
    assert not missing


def test_every_operator_of_ours_has_a_tooltip_and_its_properties_too(addon):
    missing = []
    for name in dir(bpy.ops.spade):
        described = getattr(bpy.ops.spade, name).get_rna_type()
        if not described.description:
            missing.append(name)
        own = (each for each in described.properties if each.identifier != "rna_type")
        missing += [
            f"{name}.{each.identifier}" for each in own if not each.description and not each.is_hidden
        ]
    assert dir(bpy.ops.spade) and not missing


def test_every_operator_of_ours_works_without_a_window(addon):
    modal_alone = [
        kind.__name__
        for kind in our_types()
        if issubclass(kind, bpy.types.Operator) and not inspect.isfunction(getattr(kind, "execute", None))
    ]
    assert not modal_alone


def test_unregistering_leaves_nothing_behind(tmp_path):
    import spade_backdrops

    stage = str(Path(spade_backdrops.__file__).parents[1])
    (tmp_path / "profile").mkdir()
    (tmp_path / "temp").mkdir()
    surroundings = {
        **os.environ,
        "BLENDER_USER_RESOURCES": str(tmp_path / "profile"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    surroundings |= dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(tmp_path / "temp"))
    words = [sys.executable, "-c", SEEN_BEFORE_AND_AFTER, stage]
    told = subprocess.run(words, env=surroundings, capture_output=True, text=True, timeout=100)
    assert told.stdout.strip().endswith("nothing is left"), told.stdout[-500:] + told.stderr[-3000:]
    assert tempfile.gettempdir()
