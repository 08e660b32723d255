# SPDX-License-Identifier: GPL-3.0-or-later
"""A Blender that has never heard of the add-on: a process of its own, which looks at files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

_START = """
import json, sys
import bpy
import numpy as np

bpy.ops.wm.read_factory_settings(use_empty=True)
folder = sys.argv[1]


def pixels(name, is_data=False):
    image = bpy.data.images.load(folder + "/" + name)
    if is_data:
        image.colorspace_settings.is_data = True
    width, height = image.size
    return np.array(image.pixels[:]).reshape(height, width, -1)[::-1, :, :3]


def answer(**found):
    with open(folder + "/answer.json", "w") as file:
        json.dump({name: np.asarray(value).tolist() for name, value in found.items()}, file)


"""


def look(folder: Path, script: str) -> dict[str, Any]:
    """What a script says of the files in a folder: it calls `answer(name=value, ...)`, and has `folder`, `pixels`."""
    own = folder / ".fresh"
    own.mkdir(exist_ok=True)
    (own / "look.py").write_text(_START + textwrap.dedent(script), encoding="utf-8")
    environment = {**os.environ, "BLENDER_USER_RESOURCES": str(own), "PYTHONPATH": ""}
    done = subprocess.run(
        [sys.executable, str(own / "look.py"), str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    answers = folder / "answer.json"
    assert answers.exists(), done.stderr[-2000:]
    return json.loads(answers.read_text(encoding="utf-8"))
