# SPDX-License-Identifier: GPL-3.0-or-later
"""A Blender in the background that takes label maps, so that the one with the window never stands still.

It stays, for to start it takes as long as many passes. It ends when nobody asks for ten minutes, when it is told to,
and when the Blender that started it is gone, however that ended.
"""

from __future__ import annotations

import queue
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..bridge.layers import Layers
from ..contract.errors import InternalError, SpadeError
from .background_blender import BackgroundBlender, error_in
from .elsewhere import Elsewhere, Place
from .label_pass import LabelPass
from .other_view import AS_IT_IS, OtherView

_MAIN = Path(__file__).with_name("label_worker_main.py")
_MORE = ("instance_map", "fine_depth", "apart")


@dataclass(frozen=True)
class PassRequest:
    """scene_file: as `write_scene_file` wrote it. scene: its full name in there. shape: (height, width).

    with_objects, with_depth: as of `render_label_map`. view: what of the scene is seen otherwise.
    elsewhere: where to go before; the file then stays open for the next request of it. with_layers: it is to be taken
    apart, as by `render_layered_labels`.
    """

    scene_file: Path
    scene: str
    layer: str
    shape: tuple[int, int]
    with_objects: bool = False
    with_depth: bool = False
    view: OtherView = AS_IT_IS
    elsewhere: Elsewhere | None = None
    with_layers: bool = False


class LabelWorker:
    """One such process, from its start to its end. No call waits."""

    def __init__(self, folder: Path) -> None:
        """Start it; `folder`, which must be there, is for its files. Raises UnavailableError."""
        self.is_ready = False
        """Whether it has begun to take requests; one that ends before never will."""
        self.place: Place | None = None
        """What was found where the last request went."""
        self._arrays = folder / "labels.npz"
        self._passes: queue.SimpleQueue[LabelPass | SpadeError] = queue.SimpleQueue()
        fix = "Generate again: the labels are taken in this one."
        self._blender = BackgroundBlender(_MAIN, {"folder": str(folder)}, folder, self._hear, fix)

    @property
    def pid(self) -> int:
        return self._blender.pid

    @property
    def has_ended(self) -> bool:
        """Whether the process is gone; what it said last was heard by then."""
        return self._blender.has_ended

    def ask(self, request: PassRequest) -> None:
        """Have a label pass taken; ask for the next one when it is there."""
        words = {
            "scene_file": str(request.scene_file),
            "scene": request.scene,
            "layer": request.layer,
            "shape": request.shape,
            "with_objects": request.with_objects,
            "with_depth": request.with_depth,
            "view": asdict(request.view),
            "elsewhere": asdict(request.elsewhere) if request.elsewhere else None,
            "with_layers": request.with_layers,
            "arrays": str(self._arrays),
        }
        self._blender.say(words)

    def taken(self) -> LabelPass | SpadeError | None:
        """What came of the last request, once; None while there is nothing."""
        try:
            return self._passes.get_nowait()
        except queue.Empty:
            return None

    def stop(self) -> None:
        """End it at once, whatever it does."""
        self._blender.stop()

    def close(self) -> None:
        """End it, and wait until it is gone."""
        self._blender.close()

    def last_words(self) -> str:
        """The last line it printed, for an error message."""
        return self._blender.last_words()

    def _hear(self, answer: dict[str, Any]) -> None:
        """Called in another thread, where it costs nobody's time to read arrays."""
        if "ready" in answer:
            self.is_ready = True
        else:
            self._passes.put(self._read(answer))

    def _read(self, answer: dict[str, Any]) -> LabelPass | SpadeError:
        if "error" in answer:
            return error_in(answer)
        try:
            with np.load(self._arrays) as arrays:
                label_map, depth = arrays["label_map"], arrays["depth"]
                instance_map, fine_depth, apart = (arrays[name] if name in arrays else None for name in _MORE)
                layers = Layers.from_arrays(arrays) if "owner" in arrays else None
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
            tuple((name, number) for name, number in answer["parts"]),
            layers,
        )
