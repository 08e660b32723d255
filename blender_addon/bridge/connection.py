# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to the server: off, starting, connecting, loading the model, ready, or lost, and back again by itself.

One object owns the client and, where we started one, the server process. Nothing here waits or raises but `close()`,
which is for the end of Blender: `step()` moves the state, `error` says why it is LOST.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from ..contract.client import Client, Event
from ..contract.connection import read_connection_file
from ..contract.errors import (
    BadOptionError,
    LabelSetMismatchError,
    SpadeError,
    TooLargeError,
    UnavailableError,
    UnknownModelError,
    UnknownStyleError,
)
from ..contract.keys import Credentials
from ..contract.labels import LabelSet
from ..contract.messages import ModelInfo, Problem, Welcome
from ..contract.placed_styles import one_style_only
from ..contract.request import unknown_style
from ..contract.session import PLACES_SINCE
from ..contract.version import VERSION
from .address import is_on_this_computer
from .label_set_question import LabelSetQuestion
from .question import Question
from .server_command import running_server
from .server_process import ServerLaunch, ServerProcess
from .thumbnail_question import ThumbnailQuestion

SOFTWARE = f"blender-addon {VERSION}"
# A server that lives says something every second or so; this is when a user wants to be told.
SILENCE_S = 8.0


class ConnectionState(Enum):
    """What the panel shows of the server."""

    OFF = "Off"
    STARTING = "Starting"
    CONNECTING = "Connecting"
    WARMING = "Loading the model"
    READY = "Ready"
    LOST = "Not reachable"


@dataclass(frozen=True)
class ServerTarget:
    """Where pictures come from: an address, or a local server.

    credentials: keys for the server at the address; None for one of the user's own on this computer.
    shared_connection_file: a server the user runs himself announces itself there, and is used when it is alive.
    server: how to start one of our own; called only when needed, raises UnavailableError.
    """

    address: str = ""
    credentials: Credentials | None = None
    shared_connection_file: Path | None = None
    server: Callable[[], ServerLaunch] | None = None


class Connection:
    """Owns the client and the server we started. Belongs to one thread.

    silence_s: seconds without a word after which a server counts as lost.
    """

    def __init__(self, silence_s: float = SILENCE_S) -> None:
        self.state = ConnectionState.OFF
        self.error: SpadeError | None = None
        self.client: Client | None = None
        self.server: ServerProcess | None = None
        self.silence_s = silence_s
        self._since = time.monotonic()
        self._stopping: ServerProcess | None = None  # it was told to end, and has not yet
        self._last_server: ServerProcess | None = None
        self._questions: list[Question] = []
        self._unread: list[Event] = []  # came while we waited for something else
        self._gone_epoch = ""  # of the server that died: its welcome says nothing about the next one

    @property
    def welcome(self) -> Welcome | None:
        """What the server said of itself; None before it did."""
        return self.client.welcome if self.client else None

    @property
    def is_starting(self) -> bool:
        return self.state in (ConnectionState.STARTING, ConnectionState.CONNECTING, ConnectionState.WARMING)

    @property
    def is_idle(self) -> bool:
        """Whether step() has nothing to look after."""
        return self.state is ConnectionState.OFF and self._stopping is None

    @property
    def waited_s(self) -> float:
        """Seconds in the present state while it is one of waiting, else 0."""
        return time.monotonic() - self._since if self.is_starting else 0.0

    def model_named(self, name: str) -> ModelInfo | None:
        """A model the server has."""
        models = self.welcome.models if self.welcome else ()
        return next((model for model in models if model.name == name), None)

    def required_model(self, name: str) -> ModelInfo:
        """A model the server has. Raises UnavailableError while it has said nothing, UnknownModelError."""
        if self.welcome is None:
            raise UnavailableError("The server is not connected.", fix="Start the server first.")
        model = self.model_named(name)
        if model is None:
            served = ", ".join(each.name for each in self.welcome.models) or "none"
            # A run without a model yet, a file that cannot be read: the server says which.
            problem = self.welcome.problem_with(name)
            why = f" {problem.message} {problem.fix}".rstrip() if problem else ""
            raise UnknownModelError(
                f"The server has no model '{name}'.{why}", fix=f"Choose one of those it has: {served}."
            )
        return model

    def mismatch(self, model_name: str, label_set: LabelSet) -> LabelSetMismatchError | None:
        """Why this model cannot paint what this set labels; None where it can, or nobody knows yet.

        A model that is still being trained may come to know another set while we are connected.
        """
        model = self.model_named(model_name) if self.state is ConnectionState.READY else None
        if model is None or model.label_set_digest == label_set.digest:
            return None
        uses = f"the scene uses '{label_set.name}'"
        if model.label_set == label_set.name:
            uses = "the scene uses another version of it"
        return LabelSetMismatchError(
            f"The model '{model.name}' was trained on the label set '{model.label_set}', {uses}.",
            fix="Take over the model's label set, or choose another model.",
        )

    def terms(self, model_name: str, upscaler: str) -> tuple[str, str]:
        """Whose weights a model and an upscaler have, and on what terms, in words; empty where nobody said."""
        model = self.model_named(model_name)
        said = self.welcome.terms_of_upscaler(upscaler) if self.welcome else ""
        return model.terms if model else "", said

    def looks_at_objects(self, model_name: str) -> bool | None:
        """Whether a model wants to know which object each pixel shows; None while the server may still say so."""
        if self.is_starting:
            return None
        model = self.model_named(model_name) if self.state is ConnectionState.READY else None
        return model is not None and model.instance_edges

    def missing_style(self, model_name: str, names: Iterable[str]) -> UnknownStyleError | None:
        """Why this model cannot paint in the styles of these names; None where it can, or nobody knows yet."""
        model = self.model_named(model_name) if self.state is ConnectionState.READY else None
        if model is None:
            return None
        known = {style.casefold() for style in model.styles}
        missing = next((name for name in names if name.casefold() not in known), None)
        return None if missing is None else unknown_style(missing, model.name, model.styles)

    def one_style(self, model_name: str) -> BadOptionError | None:
        """Why this model cannot paint parts in styles of their own; None where it can, or nobody knows yet."""
        model = self.model_named(model_name) if self.state is ConnectionState.READY else None
        if model is None or self.welcome is None:
            return None
        if self.welcome.minor < PLACES_SINCE:
            return one_style_only(model.name, "its server is of an earlier version")
        return one_style_only(model.name, model.one_style) if model.one_style else None

    def too_large(self, shape: tuple[int, int]) -> TooLargeError | None:
        """Why the server does not take a label map of this (height, width); None where it does, or nobody knows yet."""
        if self.welcome is None or max(shape) <= self.welcome.limits.max_side:
            return None
        height, width = shape
        return TooLargeError(
            f"The picture would have {width} x {height} pixels; "
            f"the server paints at most {self.welcome.limits.max_side} a side.",
            fix="Choose a smaller width and height.",
        )

    def console(self) -> str:
        """The last the server printed, if we started it; also after it has gone."""
        return self._last_server.console() if self._last_server else ""

    @property
    def is_on_this_computer(self) -> bool:
        """Whether the server we are at shares this computer's device."""
        return self.client is not None and is_on_this_computer(self.client.address)

    def release_device(self, patience_s: float) -> bool:
        """Have a server give its device's memory back until the next job; waits no longer than this for it.

        Returns whether it has. One that is painting goes on, and one that is elsewhere is not asked.
        """
        if self.client is None or self.state is not ConnectionState.READY or not self.is_on_this_computer:
            return False
        give_up_at = time.monotonic() + patience_s
        try:
            self.client.release_device()
            while time.monotonic() < give_up_at:
                self._unread += self.client.poll(timeout_ms=20)
                if self.welcome is not None and self.welcome.state == "released":
                    return True
        except SpadeError:
            pass  # the next step finds it, too, and tells
        return False

    def ask_label_set(self, digest: str) -> LabelSetQuestion:
        """Ask for the label set of a served model; returns at once, step() takes the answer.

        Raises UnavailableError.
        """
        if self.client is None:
            raise UnavailableError("The server is not connected.", fix="Start the server first.")
        question = LabelSetQuestion(self.client, digest)
        self._questions.append(question)
        return question

    def ask_thumbnails(self, digest: str) -> ThumbnailQuestion:
        """The same for pictures of a served model's styles."""
        if self.client is None:
            raise UnavailableError("The server is not connected.", fix="Start the server first.")
        question = ThumbnailQuestion(self.client, digest)
        self._questions.append(question)
        return question

    def open(self, target: ServerTarget) -> None:
        """Find the server, or start it. What goes wrong is in `error`."""
        self.leave()
        self.error = None
        try:
            if target.address:
                keys = target.credentials or "own"
                self._connect(Client(target.address, software=SOFTWARE, credentials=keys))
            elif target.shared_connection_file and running_server(target.shared_connection_file):
                file = target.shared_connection_file
                self._connect(Client.from_connection_file(file, software=SOFTWARE))
            elif target.server is not None:
                self.server = self._last_server = ServerProcess(target.server())
                self._enter(ConnectionState.STARTING)
                self._watch_server()
        except SpadeError as problem:
            self._lose(problem)

    def leave(self) -> None:
        """Leave the server, and tell it to end if we started it; returns at once, step() sees it off."""
        client, self.client = self.client, None
        if client is not None:
            client.close()
        self._part_with_server()
        for question in self._questions:
            question.fail(_left())
        self._questions.clear()
        self._enter(ConnectionState.OFF)

    def close(self) -> None:
        """For the end of Blender: leave, and wait until the server we started is gone. Safe to call twice."""
        self.leave()
        if self._stopping is not None:
            self._stopping.close()
            self._stopping = None
        if self._last_server is not None:
            self._last_server.remove_log()

    def step(self) -> list[Event]:
        """Look after the server, read what came; returns the events, in order."""
        if self._stopping is not None and self._stopping.has_ended():
            self._stopping = None
        if self.state is ConnectionState.OFF:
            return []
        try:
            self._watch_server()
            events = self._unread + (self.client.poll() if self.client else [])
            self._unread = []
        except SpadeError as problem:
            self._part_with_server()
            self._lose(problem)
            return []
        self._follow(events)
        for question in self._questions:
            question.step(events)
        self._questions = [question for question in self._questions if not question.has_ended]
        return events

    def _watch_server(self) -> None:
        server = self.server
        if server is None or self.state is ConnectionState.LOST:
            return
        server.limit_log()
        if server.pid is None:
            # Two at once would fight over the device's memory: the one before has to be gone.
            if self._stopping is None:
                server.start()
        elif self.client is not None and not server.is_running:
            # It had worked: start it again where it was, the client sends its jobs once more.
            self._gone_epoch = self.client.welcome.epoch if self.client.welcome else ""
            if not server.restart():
                server.check()
            self._enter(ConnectionState.STARTING)
        elif self.state is ConnectionState.STARTING:
            server.check()
            if server.is_ready:
                file = server.config.connection_file
                server.remember_address(read_connection_file(file).address)
                self._connect(self.client or Client.from_connection_file(file, software=SOFTWARE))

    def _part_with_server(self) -> None:
        """Tell the server we started to end; a new one is not started before it has."""
        server, self.server = self.server, None
        if server is not None and server.pid is not None:
            server.stop()
            self._stopping = server

    def _follow(self, events: list[Event]) -> None:
        client, welcome = self.client, self.welcome
        if client is None or self.state is ConnectionState.STARTING:
            return
        # One that was just started again had no time yet to break the silence.
        if min(client.silent_s, time.monotonic() - self._since) > self.silence_s:
            if self.state is not ConnectionState.LOST:
                fix = "Check that it runs, its address and its key file."
                self._lose(UnavailableError(f"The server at {client.address} does not answer.", fix=fix))
        elif (
            welcome is None
            or welcome.epoch == self._gone_epoch
            or (self.state is ConnectionState.LOST and not events)
        ):
            return
        elif welcome.state == "failed":
            problem = next(iter(welcome.problems), Problem("", "The server has no model.", ""))
            self._lose(UnavailableError(problem.message, fix=problem.fix or "Look at the server's console."))
        else:
            self._enter(ConnectionState.WARMING if welcome.state == "warming" else ConnectionState.READY)

    def _connect(self, client: Client) -> None:
        self.client = client
        self._enter(ConnectionState.CONNECTING)

    def _lose(self, problem: SpadeError) -> None:
        self.error = problem
        self._enter(ConnectionState.LOST)

    def _enter(self, state: ConnectionState) -> None:
        if state is not self.state:
            self.state, self._since = state, time.monotonic()


def _left() -> UnavailableError:
    return UnavailableError(
        "The connection to the server was closed.", fix="Start the server, then try again."
    )
