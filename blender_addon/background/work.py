# SPDX-License-Identifier: GPL-3.0-or-later
"""Work that a Blender in the background does on a copy of the file as it is when it starts."""

from __future__ import annotations

import queue
import shutil
import tempfile
from pathlib import Path
from typing import Any

import bpy

from ..contract.errors import SpadeError, UnavailableError
from ..scene.background_blender import BackgroundBlender, error_in
from ..scene.scene_file import write_scene_file
from ..scene.visible import active_view_layer
from .parts import Parts

_MAIN = Path(__file__).with_name("work_main.py")


class BackgroundWork:
    """One work, from its start to its end, which is also that of this Blender. No call waits but `close`, for a moment.

    error: what went wrong, once `has_ended`. parts: the files that it writes, of which the chosen folder has none yet.
    begun_by: the operator, as "spade.bake", whose button shows how far it is.
    """

    def __init__(
        self, scene: bpy.types.Scene, function: str, folder: Path, words: dict[str, Any], fix: str
    ) -> None:
        """Start it: the add-on's `function`, such as "bake.work.bake_all", gets these words, as `scene` and `layer` the
        names of what is worked on, and as `folder` where it writes. What it yields comes to `heard`.

        folder: which the files are for. fix: what users do where the other Blender ends before it is done.
        Raises CannotWriteError where the folder takes no files, InternalError where the file cannot be written, and
        UnavailableError.
        """
        self.error: SpadeError | None = None
        self.has_ended = False
        self.begun_by = ""
        self._fix = fix
        self._is_done = False
        self._answers: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self.parts = Parts(folder)
        self._folder = Path(tempfile.mkdtemp(prefix="spade-work-"))
        file = self._folder / "scene.blend"
        try:
            write_scene_file(scene, file)
            started = {
                "scene_file": str(file),
                "function": function,
                "scene": scene.name_full,
                "layer": active_view_layer(scene).name,
                "folder": str(self.parts.path),
                **words,
            }
            self._blender = BackgroundBlender(_MAIN, started, self._folder, self._answers.put, "Try again.")
        except BaseException:
            self._sweep()
            raise

    @property
    def fraction(self) -> float:
        """How much is done, 0..1."""
        raise NotImplementedError

    @property
    def doing(self) -> str:
        """What is done, for the panel."""
        raise NotImplementedError

    def heard(self, answer: dict[str, Any]) -> None:
        """Something that the work yielded."""
        raise NotImplementedError

    def step(self) -> None:
        """Hear what it says."""
        gone = self._blender.has_ended  # asked first: what it said last was heard by then
        while not self.has_ended:
            try:
                answer = self._answers.get_nowait()
            except queue.Empty:
                if gone:
                    self._end()
                return
            if answer.get("error") == MemoryError.__name__:
                self.error = UnavailableError("The memory of this computer does not suffice.", self._fix)
            elif "error" in answer:
                self.error = error_in(answer)
            elif "is_done" in answer:
                self._is_done = True
            else:
                self.heard(answer)

    def close(self) -> None:
        """End it, whatever it does, and take away what it wrote, but for the parts that are kept."""
        self._blender.close()
        self.has_ended = True
        self._sweep()

    def _end(self) -> None:
        self.has_ended = True
        if self.error is None and not self._is_done:
            self.error = UnavailableError(
                f"The Blender in the background ended before it was done: {self._blender.last_words()}.",
                self._fix,
            )
        shutil.rmtree(self._folder, ignore_errors=True)

    def _sweep(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        self.parts.sweep()
