# SPDX-License-Identifier: GPL-3.0-or-later
"""Run by Blender, or by a Python that has it as a module: open a .blend and let the add-on render its pairs.

blender --background --python render_in_blender.py -- '{"scene": ..., "addon": ..., "options": {...}}'
python render_in_blender.py -- '{...}'

Nothing of this project is imported but the add-on itself: the installed one, or one from the folder `addon`. The .blend
is never saved.
"""

from __future__ import annotations

import importlib
import json
import sys

import bpy

OLDEST = (4, 2, 0)
MARK = "spade-pairs: "


def main(words: str) -> int:
    wanted = json.loads(words)
    if bpy.app.version < OLDEST:
        return failed(f"This is Blender {bpy.app.version_string}.", "Use Blender 4.2 or later (--blender).")
    addon = None if is_installed() else staged_addon(wanted["addon"])
    try:
        try:
            bpy.ops.wm.open_mainfile(filepath=wanted["scene"], load_ui=False)
        except RuntimeError as problem:
            return failed(
                f"Blender cannot open {wanted['scene']}: {problem}".strip(), "Open and save it in Blender."
            )
        if not is_installed():
            return failed(
                "The extension 'Spade Backdrops' in this Blender is missing or too old.",
                "Install the one of this version.",
            )
        try:
            _operator()(**wanted["options"])
        except RuntimeError:  # the operator has said why
            return 2
        return 0
    finally:
        if addon is not None:
            addon.unregister()  # Blender 4.5 hangs at exit otherwise


def is_installed() -> bool:
    try:
        return bool(_operator().get_rna_type())
    except (AttributeError, KeyError):
        return False


def _operator():
    return getattr(bpy.ops, "spade").render_pairs  # noqa: B009 (the add-on's, unknown to Blender's stubs)


def staged_addon(folder: str):
    """The add-on from a folder, registered; None where there is none, or an older one is installed."""
    if not folder or hasattr(bpy.types.Scene, "spade"):
        return None
    sys.path.insert(0, folder)
    addon = importlib.import_module("spade_backdrops")
    addon.register()
    return addon


def failed(message: str, fix: str) -> int:
    print(
        MARK + json.dumps({"kind": "failed", "code": "BAD_IMAGE", "message": message, "fix": fix}), flush=True
    )
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[sys.argv.index("--") + 1]))
