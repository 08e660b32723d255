# SPDX-License-Identifier: GPL-3.0-or-later
"""How another Blender is started in the background, from the one that the user works in."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import bpy

PACKAGE = Path(__file__).parents[1]
"""The add-on's folder, whose parts the other Blender imports."""


def background_command(main: Path, words: dict[str, Any]) -> list[str]:
    """The user's own Blender without its window, or Python where Blender is a module of it; `main` gets the words."""
    text = json.dumps(words)
    if not bpy.app.binary_path:
        return [sys.executable, str(main), "--", text]
    quiet = ["--background", "--factory-startup", "--offline-mode", "--disable-autoexec"]
    return [bpy.app.binary_path, *quiet, "--python-exit-code", "1", "--python", str(main), "--", text]


def own_group() -> dict[str, Any]:
    """For Popen: Ctrl-C in Blender's terminal is not its business, it ends with Blender."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}
