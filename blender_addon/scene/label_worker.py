# SPDX-License-Identifier: GPL-3.0-or-later
"""A Blender in the background that takes label maps, so that the one with the window never stands still.

It stays, for to start it takes as long as many passes. It ends when nobody asks for ten minutes, when it is told to,
and when the Blender that started it is gone, however that ended.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..contract import errors
from ..contract.errors import InternalError, SpadeError, UnavailableError
from .background_blender import PACKAGE, background_command, own_group
from .elsewhere import Elsewhere, Place
from .label_pass import LabelPass
from .other_view import AS_IT_IS, OtherView

_MAIN = Path(__file__).with_name("label_worker_main.py")
_MORE = ("instance_map", "fine_depth", "apart")


@dataclass(frozen=True)
class PassRequest:
    """scene_file: as `write_scene_file` wrote it. scene: its full name in there. shape: (height, width).

    with_objects, with_depth: as of `render_label_map`. view: what of the scene is seen otherwise.
    elsewhere: where to go before; the file then stays open for the next request of it.
    """

    scene_file: Path
    scene: str
    layer: str
    shape: tuple[int, int]
    with_objects: bool = False
    with_depth: bool = False
    view: OtherView = AS_IT_IS
    elsewhere: Elsewhere | None = None


class LabelWorker:
    """One such process, from its start to its end. No call waits."""

    def __init__(self, folder: Path) -> None:
        """Start it; `folder`, which must be there, is for its files. Raises UnavailableError."""
        self.is_ready = False
        """Whether it has begun to take requests; one that ends before never will."""
        self.place: Place | None = None
        """What was found where the last request went."""
        self._folder = folder
        self._passes: queue.SimpleQueue[LabelPass | SpadeError] = queue.SimpleQueue()
        self._asked: PassRequest | None = None
        self._ended: int | None = None
        words = {"package": str(PACKAGE), "paths": sys.path, "folder": str(folder)}
        try:
            with open(self._console, "wb") as console:
                self._process = subprocess.Popen(
                    background_command(_MAIN, words),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=console,
                    # A profile of its own: nothing that it starts with may change the user's.
                    env={**os.environ, "BLENDER_USER_RESOURCES": str(folder / "profile")},
                    **own_group(),
                )
        except OSError as problem:
            raise UnavailableError(
                f"A Blender in the background could not be started: {problem.strerror or problem}.",
                "Generate again: the labels are taken in this one.",
            ) from None
        threading.Thread(target=self._listen, daemon=True, name="spade label worker").start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Whether the process is gone; what it said last was heard by then."""
        return self._ended is not None

    def ask(self, request: PassRequest) -> None:
        """Have a label pass taken; ask for the next one when it is there."""
        self._asked = request
        words = {
            "scene_file": str(request.scene_file),
            "scene": request.scene,
            "layer": request.layer,
            "shape": request.shape,
            "with_objects": request.with_objects,
            "with_depth": request.with_depth,
            "view": asdict(request.view),
            "elsewhere": asdict(request.elsewhere) if request.elsewhere else None,
            "arrays": str(self._arrays),
        }
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError):  # it has just ended, as has_ended will say
            self._process.stdin.write(json.dumps(words).encode() + b"\n")
            self._process.stdin.flush()

    def taken(self) -> LabelPass | SpadeError | None:
        """What came of the last request, once; None while there is nothing."""
        try:
            return self._passes.get_nowait()
        except queue.Empty:
            return None

    def stop(self) -> None:
        """End it at once, whatever it does."""
        self._process.kill()

    def close(self) -> None:
        """End it, and wait until it is gone."""
        self.stop()
        self._process.wait()

    def last_words(self) -> str:
        """The last line it printed, for an error message."""
        try:
            lines = self._console.read_text("utf-8", "replace").split("\n")
        except OSError:
            lines = []
        return next((line.strip()[:160] for line in reversed(lines) if line.strip()), "it printed nothing")

    @property
    def _console(self) -> Path:
        return self._folder / "console.txt"

    @property
    def _arrays(self) -> Path:
        return self._folder / "labels.npz"

    def _listen(self) -> None:
        """Runs in a thread of its own until the process has ended."""
        requests, answers = self._process.stdin, self._process.stdout
        assert requests is not None and answers is not None
        for line in answers:
            if not line.startswith(b"{"):
                continue  # Blender 5 logs there while it starts
            answer = json.loads(line)
            if "ready" in answer:
                self.is_ready = True
            else:
                self._passes.put(self._read(answer))
        answers.close()
        with contextlib.suppress(OSError):  # a request that it did not read any more
            requests.close()
        self._ended = self._process.wait()

    def _read(self, answer: dict[str, Any]) -> LabelPass | SpadeError:
        if "error" in answer:
            kind = getattr(errors, answer["error"], InternalError)
            return kind(answer["message"], answer["fix"])
        try:
            with np.load(self._arrays) as arrays:
                label_map, depth = arrays["label_map"], arrays["depth"]
                instance_map, fine_depth, apart = (arrays[name] if name in arrays else None for name in _MORE)
        except (OSError, ValueError) as problem:
            return InternalError(
                f"The labels cannot be read: {problem}.", "Check the folder for temporary files."
            )
        self.place = Place.from_facts(answer["place"]) if answer["place"] is not None else None
        return LabelPass(
            label_map,
            depth,
            dict(answer["shares"]),
            answer["unlabelled"],
            answer["sky_share"],
            instance_map,
            answer["object_count"],
            fine_depth,
            apart,
        )
