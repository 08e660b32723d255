# SPDX-License-Identifier: GPL-3.0-or-later
"""Label passes of other frames, or through other cameras, one after the other, by a Blender in the background."""

from __future__ import annotations

from pathlib import Path

from ..contract.errors import SpadeError, UnavailableError
from .elsewhere import Place
from .label_pass import LabelPass
from .label_worker import LabelWorker, PassRequest

TRIES = 2


class FramePasses:
    """One such Blender; where it ends within a pass, another one takes it."""

    def __init__(self, folder: Path) -> None:
        """folder: for the files of the process. Raises UnavailableError where no second Blender can be started."""
        self._folder = folder
        self._worker = LabelWorker(folder)
        self._asked: PassRequest | None = None
        self._tries = 0

    def ask(self, request: PassRequest) -> None:
        """Begin to take these labels, unless that is under way. request: one that goes elsewhere."""
        if request != self._asked:
            self._asked, self._tries = request, 0
            self._send(request)

    def taken(self) -> tuple[LabelPass, Place] | None:
        """What came of the last request, once; None while there is nothing. Raises what the pass does, and
        UnavailableError where the process ended twice."""
        assert self._asked is not None
        found = self._worker.taken()
        if found is not None:
            self._asked = None
            if isinstance(found, SpadeError):
                raise found
            assert self._worker.place is not None
            return found, self._worker.place
        if self._worker.has_ended:
            if self._tries >= TRIES:
                raise UnavailableError(
                    f"The Blender in the background that takes the labels ended: {self._worker.last_words()}.",
                    "Press again; if memory is short, choose a smaller size.",
                )
            self._worker = LabelWorker(self._folder)
            self._send(self._asked)
        return None

    def close(self) -> None:
        """End the process, and wait until it is gone."""
        self._worker.close()

    def _send(self, request: PassRequest) -> None:
        self._tries += 1
        self._worker.ask(request)
