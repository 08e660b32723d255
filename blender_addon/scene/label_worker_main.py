# SPDX-License-Identifier: GPL-3.0-or-later
"""What the background Blender runs that takes label maps: a scene file in, a label pass out.

Started by `label_worker` with one argument, a JSON object: `package` (the add-on's folder), `paths` (where Python looks
for its parts), `folder` (for files; removed when the Blender that started this one has gone). A request is one line of
JSON on the standard input, an answer one on the standard output.
"""

from __future__ import annotations

import importlib
import json
import os
import queue
import shutil
import sys
import threading
from pathlib import Path

import bpy

# Who presses no more for so long needs the memory more.
IDLE_S = 600.0


def main(package: str, paths: list[str], folder: str) -> None:
    """Answer requests until nobody has any, or nobody is there."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # Blender prints of each render
    requests: queue.SimpleQueue[dict] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(requests, folder), daemon=True).start()
    # Not read_factory_settings: it switches extensions off, and takes what they brought out of the user's folder.
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    sys.path += [path for path in paths if path not in sys.path] + [str(Path(package).parent)]
    addon = importlib.import_module(Path(package).name)
    addon.properties.register()
    passes = Passes(addon.__name__)
    answers.write('{"ready": true}\n')
    answers.flush()
    _load_cycles()
    while True:
        try:
            request = requests.get(timeout=IDLE_S)
        except queue.Empty:
            return
        answers.write(json.dumps(passes.answer(request)) + "\n")
        answers.flush()
        if request["elsewhere"] is None:
            passes.let_go()


def _listen(requests: queue.SimpleQueue[dict], folder: str) -> None:
    for line in sys.stdin:
        requests.put(json.loads(line))
    shutil.rmtree(folder, ignore_errors=True)  # the other Blender has ended, perhaps not well
    os._exit(0)


def _load_cycles() -> None:
    """The first render takes longer: let it be none that somebody waits for."""
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples = 1
    scene.render.resolution_x = scene.render.resolution_y = 8
    scene.camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    scene.collection.objects.link(scene.camera)
    bpy.ops.render.render()


class Passes:
    """Takes label passes of scene files, one of which may be open already."""

    def __init__(self, addon: str) -> None:
        self._layered_pass, self._elsewhere = (
            importlib.import_module(f"{addon}.scene.{name}") for name in ("layered_pass", "elsewhere")
        )
        self._open = ""
        self._at_rest: dict = {}

    def let_go(self) -> None:
        """Have nothing open."""
        self._open, self._at_rest = "", {}
        bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)

    def answer(self, request: dict) -> dict:
        """Take a label pass and write it; or say what went wrong, by the name of the error's class."""
        try:
            return self._take(request)
        except Exception as problem:
            fault = f"The label pass failed in the background ({type(problem).__name__}: {problem})."
            return {
                "error": type(problem).__name__,
                "message": getattr(problem, "message", fault),
                "fix": getattr(problem, "fix", "Please report it."),
            }

    def _take(self, request: dict) -> dict:
        import numpy as np

        scene = self._scene(request)
        place = now = apart = None
        if request["elsewhere"] is not None:
            wanted = self._elsewhere.Elsewhere(**request["elsewhere"])
            place, now = self._elsewhere.go_there(scene, wanted, self._at_rest)
        if place is not None and now is not None:
            apart = self._layered_pass.Apart.among(now, [each.part for each in place.moved])
        taken = self._layered_pass.take_pass(
            scene,
            tuple(request["shape"]),
            with_objects=request["with_objects"],
            with_depth=request["with_depth"],
            view=self._layered_pass.OtherView(**request["view"]),
            apart=apart,
            with_layers=request["with_layers"],
        )
        if place is not None and now is not None:
            place = place.in_sight(taken.parts, now)
        more = {name: getattr(taken, name) for name in ("instance_map", "fine_depth", "apart")}
        more = {name: array for name, array in more.items() if array is not None}
        more |= taken.layers.to_arrays() if taken.layers is not None else {}
        np.savez(request["arrays"], label_map=taken.label_map, depth=taken.depth, **more)
        return {
            "shares": [[class_id, share] for class_id, share in taken.shares.items()],
            "unlabelled": taken.unlabelled,
            "sky_share": taken.sky_share,
            "object_count": taken.object_count,
            "parts": taken.parts,
            "place": place.to_facts() if place else None,
        }

    def _scene(self, request: dict) -> bpy.types.Scene:
        """The scene, in the window; its file is opened unless it is open already."""
        is_open = request["elsewhere"] is not None and self._open == request["scene_file"]
        if not is_open:
            self._at_rest = {}
            bpy.ops.wm.open_mainfile(filepath=request["scene_file"], load_ui=False, use_scripts=False)
            self._open = request["scene_file"]
        scene = next(each for each in bpy.data.scenes if each.name_full == request["scene"])
        window = bpy.context.window_manager.windows[0]
        window.scene, window.view_layer = scene, scene.view_layers[request["layer"]]
        if not is_open and request["elsewhere"] is not None:
            self._elsewhere.show_all(scene)
        return scene


if __name__ == "__main__":
    main(**json.loads(sys.argv[-1]))
    sys.stderr.flush()
    os._exit(0)
