# SPDX-License-Identifier: GPL-3.0-or-later
"""What lasts from registering the add-on to unregistering it: the connection, the jobs, and the error that is shown.

There is one session at a time, made by register() and closed by unregister(); everybody asks for `current_session()`.
"""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np

from . import handlers
from .bridge.connection import Connection, ConnectionState
from .bridge.diagnostics import Diagnostics
from .bridge.jobs import Job, JobBoard
from .bridge.label_set_question import LabelSetQuestion
from .bridge.layer_painting import LayerPainting
from .bridge.thumbnail_question import ThumbnailQuestion
from .bridge.variations import Variations
from .contract.errors import NotInstalledError, SpadeError
from .install.installation import Installation, InstallState
from .install.installer import current_installer
from .place.layers.making import CardMaking
from .preferences import server_choice, server_target


@dataclass(frozen=True)
class WantedLabelSet:
    """A scene that waits for the label set of the server's model. scene_uid: Blender's session uid of it."""

    scene_uid: int
    question: LabelSetQuestion


class Session:
    """Owns the connection to the server, the board of jobs, and what the panel has to say."""

    def __init__(self) -> None:
        self.connection = Connection()
        self.board = JobBoard(self.connection)
        self.diagnostics: Diagnostics | None = None  # while they are being written
        self.error: SpadeError | None = None
        self.said = ""  # what has come of the last press, where that is no picture; until the next one
        self.failed_operator = ""  # by which the error came, as "spade.generate"; its button is no remedy
        self.wanted_label_set: WantedLabelSet | None = None
        self.variations: Variations | None = None
        self.layers: LayerPainting | None = (
            None  # of the picture that was placed last, until its cards are there
        )
        self.cards: CardMaking | None = None
        self.shown_paintings: list[Job] = []  # jobs whose small picture is in place until they end
        self.last_drawn: tuple | None = None  # what the panel showed when it was last redrawn
        self._opened_for: tuple[str, ...] = ()
        self._thumbnails: dict[str, ThumbnailQuestion] = {}  # by the digests of models

    def show(self, error: SpadeError, failed_operator: str = "") -> None:
        """Let the panel say this until it is dismissed, or something newer goes wrong."""
        self.error, self.failed_operator = error, failed_operator

    def tell(self, sentence: str) -> None:
        """Let the panel say this until the next press, or until something goes wrong."""
        self.dismiss()
        self.said = sentence

    def dismiss(self) -> None:
        """Let the panel say nothing of what was."""
        self.error, self.said = None, ""

    @property
    def is_idle(self) -> bool:
        """Whether step() has nothing to do."""
        jobs = self.board.live or self.board.finished or self.shown_paintings
        works = current_installer().running or self.diagnostics or self.layers
        return self.connection.is_idle and not jobs and not works

    def connect(self) -> None:
        """Connect, or start the local server, unless that has happened; returns at once. Raises SpadeError.

        Where the preferences name another server than the one we are at, that one is left, and its jobs with it.
        """
        chosen = server_choice()
        is_open = self.connection.state not in (ConnectionState.OFF, ConnectionState.LOST)
        if is_open and chosen == self._opened_for:
            return
        target = server_target()
        if is_open:
            self._cancel_all()
        self._thumbnails.clear()
        self.connection.open(target)
        self._opened_for = chosen

    def disconnect(self) -> None:
        """Cancel what runs, leave the server, and stop it if we started it; returns at once."""
        self._cancel_all()
        self.connection.leave()

    def want_label_set(self, scene_uid: int, digest: str) -> WantedLabelSet:
        """Ask the server for its model's label set, for a scene; returns at once. Raises UnavailableError."""
        self.wanted_label_set = WantedLabelSet(scene_uid, self.connection.ask_label_set(digest))
        return self.wanted_label_set

    def step(self) -> None:
        """Move what can move, show what went wrong. Never waits."""
        for job in self.board.step():
            if job.error is not None:
                self.show(job.error)
        if self.variations is not None:
            self.variations.step()
        if self.layers is not None:
            self.layers.step()
        self._ask_thumbnails()
        if (ended := current_installer().step()) is not None:
            self._take_installation(ended)
        if self.diagnostics is not None:
            self.diagnostics.step()
            if self.diagnostics.has_ended:
                if self.diagnostics.error is not None:
                    self.show(self.diagnostics.error)
                self.diagnostics = None

    def remove_server(self) -> None:
        """Remove the installed server; one that runs is stopped. Raises BusyError while one is being installed."""
        self._leave_own_server()
        current_installer().remove()

    def vary(self, first: Job, count: int) -> Variations:
        """Paint a job that was just handed to the board with `count` seeds, its own the first, to choose from."""
        self.close_variations()
        self.variations = Variations(self.board, first, count)
        return self.variations

    def paint_layers(self, placed: Job) -> None:
        """Have painted what stands behind the cards of a picture that was placed."""
        self.layers = LayerPainting(self.board, placed)

    def close_variations(self) -> None:
        """Let go of the variations; what was picked stays."""
        if self.variations is not None:
            self.variations.close()
            self.variations = None

    def thumbnails(self, digest: str) -> np.ndarray | None:
        """Pictures of a model's styles, (N, H, W, 3) uint8; None where the server has sent none (yet)."""
        question = self._thumbnails.get(digest)
        return question.rgb if question else None

    def close(self) -> None:
        """The end: waits until a server that we started is gone."""
        if self.diagnostics is not None:
            self.diagnostics.close()
        self.connection.close()

    def _take_installation(self, ended: Installation) -> None:
        if ended.error is not None:
            self.show(ended.error)
        elif ended.state is InstallState.DONE:
            if self.error is not None and self.error.code == NotInstalledError.code:
                self.dismiss()
            self._leave_own_server()  # the next one is the new one
        current_installer().sweep()

    def _leave_own_server(self) -> None:
        if self.connection.server is not None:
            self.disconnect()

    def _ask_thumbnails(self) -> None:
        """Ask once for each model that the server has; what fails is without a picture until it is served anew."""
        welcome = self.connection.welcome if self.connection.state is ConnectionState.READY else None
        if welcome is None:
            return
        served = {model.digest for model in welcome.models if model.styles}
        for digest in served - self._thumbnails.keys():
            self._thumbnails[digest] = self.connection.ask_thumbnails(digest)

    def _cancel_all(self) -> None:
        for job in self.board.live:
            self.board.cancel(job)


_current: Session | None = None


def current_session() -> Session:
    """The session of this registration."""
    assert _current is not None, "the add-on is not registered"
    return _current


@bpy.app.handlers.persistent
def _before_load(*_) -> None:
    """What was said of another file is over."""
    current_session().said = ""


_HANDLERS = {"load_pre": _before_load}


def register() -> None:
    global _current
    _current = Session()
    handlers.add(_HANDLERS)


def unregister() -> None:
    global _current
    if _current is not None:
        handlers.remove(_HANDLERS)
        _current.close()
        _current = None
