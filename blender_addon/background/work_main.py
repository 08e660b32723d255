# SPDX-License-Identifier: GPL-3.0-or-later
"""What the background Blender runs: a scene file in, lines of JSON on standard output.

Started by `work` with one argument, a JSON object: `package`, `paths` (where Python looks for its parts),
`scene_file`, the `function` of the add-on to call, and what that takes. It ends when its standard input does: with the
Blender that started it.
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


def main(package: str, paths: list[str], scene_file: str, function: str, **wanted: Any) -> None:
    """Do all, and tell of each part and of the end; or say what went wrong, by the name of the error's class."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # Blender prints of what it does
    threading.Thread(target=_end_with_the_other, daemon=True).start()

    def tell(answer: dict[str, Any]) -> None:
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    sys.path += [path for path in paths if path not in sys.path] + [str(Path(package).parent)]
    addon = importlib.import_module(Path(package).name)
    addon.properties.register()
    module, _, name = function.rpartition(".")
    try:
        bpy.ops.wm.open_mainfile(filepath=scene_file, load_ui=False, use_scripts=False)
        for answer in getattr(importlib.import_module(f"{addon.__name__}.{module}"), name)(**wanted):
            tell(answer)
        tell({"is_done": True})
    except Exception as problem:
        fault = f"The work in the background failed ({type(problem).__name__}: {problem})."
        tell(
            {
                "error": type(problem).__name__,
                "message": getattr(problem, "message", fault),
                "fix": getattr(problem, "fix", "Please report it."),
            }
        )


def _end_with_the_other() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main(**json.loads(sys.argv[-1]))
    sys.stderr.flush()
    os._exit(0)
