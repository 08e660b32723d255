# SPDX-License-Identifier: GPL-3.0-or-later
"""What the background Blender runs that bakes: a scene file in, PNG files out, a line of JSON on standard output each.

Started by `baker` with one argument, a JSON object: `package`, `paths` (where Python looks for its parts),
`scene_file`, and what `work.bake_all` takes. It ends when its standard input does: with the Blender that started it.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

import bpy


def main(package: str, paths: list[str], scene_file: str, **wanted: Any) -> None:
    """Bake all, or say what went wrong, by the name of the error's class."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # Blender prints of each bake
    threading.Thread(target=_end_with_the_other, daemon=True).start()
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    sys.path += [path for path in paths if path not in sys.path] + [str(Path(package).parent)]
    addon = importlib.import_module(Path(package).name)
    addon.properties.register()
    work = importlib.import_module(f"{addon.__name__}.bake.work")
    try:
        bpy.ops.wm.open_mainfile(filepath=scene_file, load_ui=False, use_scripts=False)
        for answer in work.bake_all(**wanted):
            answers.write(json.dumps(answer) + "\n")
            answers.flush()
    except Exception as problem:
        fault = f"Baking failed in the background ({type(problem).__name__}: {problem})."
        answer = {
            "error": type(problem).__name__,
            "message": getattr(problem, "message", fault),
            "fix": getattr(problem, "fix", "Please report it."),
        }
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _end_with_the_other() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main(**json.loads(sys.argv[-1]))
    sys.stderr.flush()
    os._exit(0)
