# SPDX-License-Identifier: GPL-3.0-or-later
"""A Blender in the background that bakes, so that the one with the window never stands still: baking blocks it.

It works on a copy of the file as it is when it starts, and ends with the Blender that started it. Cancelled, it leaves
the textures that were finished, and none in part.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from ..contract import errors
from ..contract.errors import InternalError, SpadeError, UnavailableError
from ..scene.background_blender import PACKAGE, background_command, own_group
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
        self._answers: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self.has_ended = False
        self._folder = Path(tempfile.mkdtemp(prefix="spade-bake-"))
        file = self._folder / "scene.blend"
        try:
            write_scene_file(scene, file)
            self._start(scene, file)
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise

    @property
    def fraction(self) -> float:
        """How much is done, 0..1."""
        return len(self.baked) / len(self.plan.things)

    def step(self) -> None:
        """Hear what it says."""
        while not self.has_ended:
            try:
                answer = self._answers.get_nowait()
            except queue.Empty:
                return
            if answer is None:
                self._end()
            elif "error" in answer:
                kind = getattr(errors, answer["error"], InternalError)
                self.error = kind(answer["message"], answer["fix"])
            else:
                files = {kind: Path(file) for kind, file in answer["files"].items()}
                self.baked.append(BakedThing(answer["thing"], answer["seen"], files))

    def close(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.wait()
        self.has_ended = True
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self, scene: bpy.types.Scene, file: Path) -> None:
        words = {
            "package": str(PACKAGE),
            "paths": sys.path,
            "scene_file": str(file),
            "scene": scene.name_full,
            "layer": active_view_layer(scene).name,
            "things": self.plan.things,
            "size": self.plan.size,
            "surface": self.plan.surface,
            "folder": str(self.plan.folder),
        }
        try:
            with open(self._console, "wb") as console:
                self._process = subprocess.Popen(
                    background_command(_MAIN, words),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=console,
                    env={**os.environ, "BLENDER_USER_RESOURCES": str(self._folder / "profile")},
                    **own_group(),
                )
        except OSError as problem:
            raise UnavailableError(
                f"A Blender in the background could not be started: {problem.strerror or problem}.",
                "Try again.",
            ) from None
        threading.Thread(target=self._listen, daemon=True, name="spade baker").start()

    @property
    def _console(self) -> Path:
        return self._folder / "console.txt"

    def _listen(self) -> None:
        """Runs in a thread of its own until the process has ended."""
        alive, answers = self._process.stdin, self._process.stdout
        assert alive is not None and answers is not None
        for line in answers:
            if line.startswith(b"{"):  # Blender 5 logs there while it starts
                self._answers.put(json.loads(line))
        answers.close()
        with contextlib.suppress(OSError):
            alive.close()
        self._process.wait()
        self._answers.put(None)

    def _end(self) -> None:
        self.has_ended = True
        if self.error is None and len(self.baked) < len(self.plan.things):
            try:
                lines = self._console.read_text("utf-8", "replace").split("\n")
            except OSError:
                lines = []
            last = next(
                (line.strip()[:160] for line in reversed(lines) if line.strip()), "it printed nothing"
            )
            self.error = UnavailableError(
                f"The Blender in the background that bakes ended: {last}.",
                "Bake smaller, or fewer things at once.",
            )
        shutil.rmtree(self._folder, ignore_errors=True)
