# SPDX-License-Identifier: Apache-2.0
"""Runs inside a Blender with a window and answers questions between redraws: `--python answering.py -- FOLDER`.

A question is a file NUMBER.py in the folder; what it leaves in `answer` comes back as NUMBER.json.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path

import bpy

FOLDER = Path(sys.argv[sys.argv.index("--") + 1])


def view_3d():
    """Window, area and region of the first 3D view."""
    window = bpy.context.window_manager.windows[0]
    area = next(area for area in window.screen.areas if area.type == "VIEW_3D")
    return window, area


def region_of(area, kind: str):
    return next(region for region in area.regions if region.type == kind)


def hovered(area, kind: str) -> str:
    """What the button under the mouse does, as Python; "" where there is none."""
    window, region = bpy.context.window_manager.windows[0], region_of(area, kind)
    bpy.context.window_manager.clipboard = ""
    with bpy.context.temp_override(window=window, area=area, region=region):
        if bpy.ops.ui.copy_python_command_button.poll():
            bpy.ops.ui.copy_python_command_button()
    return bpy.context.window_manager.clipboard


def answer_questions() -> float:
    for question in sorted(FOLDER.glob("*.py")):
        names = {**globals(), "answer": None}
        try:
            exec(question.read_text(encoding="utf-8"), names)
            found = {"answer": names["answer"]}
        except Exception:
            found = {"error": traceback.format_exc()}
        question.unlink()
        part = question.with_suffix(".part")
        part.write_text(json.dumps(found), encoding="utf-8")
        os.replace(part, question.with_suffix(".json"))
    return 0.05


bpy.app.timers.register(answer_questions, persistent=True)
