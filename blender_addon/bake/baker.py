# SPDX-License-Identifier: GPL-3.0-or-later
"""A Blender in the background that bakes, so that the one with the window never stands still: baking blocks it.

It works on a copy of the file as it is when it starts, and ends with the Blender that started it. Cancelled, it leaves
the textures that were finished, and none in part.
"""

from __future__ import annotations

import queue
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from ..contract.errors import SpadeError, UnavailableError
from ..scene.background_blender import BackgroundBlender, error_in
from ..scene.scene_file import write_scene_file
from ..scene.visible import active_view_layer
from .plan import BakePlan

_MAIN = Path(__file__).with_name("baker_main.py")


@dataclass(frozen=True)
class BakedThing:
    """name: full, of the object. seen: the share of its texels that a projection reaches, 0..1. files: by kind."""

    name: str
    seen: float
    files: dict[str, Path]


class Baker:
    """One bake, from its start to its end. No call waits but `close`, for a moment."""

    def __init__(self, scene: bpy.types.Scene, plan: BakePlan) -> None:
        """Start it. Raises InternalError where the file cannot be written, and UnavailableError."""
        self.plan = plan
        self.baked: list[BakedThing] = []
        """What is there so far."""
        self.error: SpadeError | None = None
        self._answers: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self.has_ended = False
        self._folder = Path(tempfile.mkdtemp(prefix="spade-bake-"))
        file = self._folder / "scene.blend"
        try:
            write_scene_file(scene, file)
            self._blender = self._start(scene, file)
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise

    @property
    def fraction(self) -> float:
        """How much is done, 0..1."""
        return len(self.baked) / len(self.plan.things)

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
            if "error" in answer:
                self.error = error_in(answer)
            else:
                files = {kind: Path(file) for kind, file in answer["files"].items()}
                self.baked.append(BakedThing(answer["thing"], answer["seen"], files))

    def close(self) -> None:
        """End it, whatever it does."""
        self._blender.close()
        self.has_ended = True
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self, scene: bpy.types.Scene, file: Path) -> BackgroundBlender:
        words = {
            "scene_file": str(file),
            "scene": scene.name_full,
            "layer": active_view_layer(scene).name,
            "things": self.plan.things,
            "size": self.plan.size,
            "surface": self.plan.surface,
            "folder": str(self.plan.folder),
        }
        return BackgroundBlender(_MAIN, words, self._folder, self._answers.put, "Try again.")

    def _end(self) -> None:
        self.has_ended = True
        if self.error is None and len(self.baked) < len(self.plan.things):
            self.error = UnavailableError(
                f"The Blender in the background that bakes ended: {self._blender.last_words()}.",
                "Bake smaller, or fewer things at once.",
            )
        shutil.rmtree(self._folder, ignore_errors=True)
