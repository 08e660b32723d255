# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to the server: off, starting, connecting, loading the model, ready, or lost, and back again by
itself.

One object owns the client and, where we started one, the server process. Nothing here blocks or raises:
`step()` moves the state, `error` says why it is LOST.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from ..contract.client import Client, Event
from ..contract.connection import read_connection_file
from ..contract.errors import LabelSetMismatch, SpadeError, Unavailable, UnknownModel
from ..contract.labels import LabelSet
from ..contract.messages import ModelInfo, Welcome
from ..contract.version import VERSION
from .server_command import running_server
from .server_process import ServerConfig, ServerProcess

SOFTWARE = f"blender-addon {VERSION}"
# a server that lives says something every second or so; this is when a user wants to be told
SILENCE_S = 8.0


class State(Enum):
    """What the panel shows of the server."""

    OFF = "Off"
    STARTING = "Starting"
    CONNECTING = "Connecting"
    WARMING = "Loading the model"
    READY = "Ready"
    LOST = "Not reachable"


@dataclass(frozen=True)
class Target:
    """Where pictures come from: an address, or a local server.

    shared_connection_file: a server the user runs himself announces itself there, and is used when it is
    alive.
    server: how to start one of our own; called only when needed, raises Unavailable.
    """

    address: str = ""
    shared_connection_file: Path | None = None
    server: Callable[[], ServerConfig] | None = None


class Connection:
    """Owns the client and the server we started. One thread; only close() waits, for a server to end."""

    def __init__(self) -> None:
        self.state = State.OFF
        self.error: SpadeError | None = None
        self.client: Client | None = None
        self.server: ServerProcess | None = None
        self._since = time.monotonic()
        self._console = ""
        self._gone_epoch = ""  # of the server that died: its welcome says nothing about the next one

    @property
    def welcome(self) -> Welcome | None:
        """What the server said of itself; None before it did."""
        return self.client.welcome if self.client else None

    @property
    def is_starting(self) -> bool:
        return self.state in (State.STARTING, State.CONNECTING, State.WARMING)

    @property
    def waited_s(self) -> float:
        """Seconds in the present state while it is one of waiting, else 0."""
        return time.monotonic() - self._since if self.is_starting else 0.0

    def model_named(self, name: str) -> ModelInfo | None:
        """A model the server has."""
        models = self.welcome.models if self.welcome else ()
        return next((model for model in models if model.name == name), None)

    def required_model(self, name: str) -> ModelInfo:
        """A model the server has. Raises Unavailable while it has said nothing, UnknownModel."""
        if self.welcome is None:
            raise Unavailable("The server is not connected.", fix="Start the server first.")
        model = self.model_named(name)
        if model is None:
            served = ", ".join(each.name for each in self.welcome.models) or "none"
            # a run without a model yet, a file that cannot be read: the server says which
            why = f" {self.welcome.problem}" if self.welcome.problem else ""
            raise UnknownModel(
                f"The server has no model '{name}'.{why}", fix=f"Choose one of those it has: {served}."
            )
        return model

    def mismatch(self, model_name: str, label_set: LabelSet) -> LabelSetMismatch | None:
        """Why this model cannot paint what this set labels; None where it can, or nobody knows yet.

        A model that is still being trained may come to know another set while we are connected.
        """
        model = self.model_named(model_name) if self.state is State.READY else None
        if model is None or model.label_set_digest == label_set.digest:
            return None
        uses = f"the scene uses '{label_set.name}'"
        if model.label_set == label_set.name:
            uses = "the scene uses another version of it"
        return LabelSetMismatch(
            f"The model '{model.name}' was trained on the label set '{model.label_set}', {uses}.",
            fix="Take over the model's label set, or choose another model.",
        )

    def console(self) -> str:
        """The last the server printed, if we started it; also after it has gone."""
        return self.server.console() if self.server else self._console

    def open(self, target: Target) -> None:
        """Find the server, or start it. What goes wrong is in `error`."""
        self.close()
        self.error = None
        try:
            if target.address:
                self._connect(Client(target.address, software=SOFTWARE))
            elif target.shared_connection_file and running_server(target.shared_connection_file):
                self._connect(Client.from_connection_file(target.shared_connection_file, software=SOFTWARE))
            elif target.server is not None:
                self.server = ServerProcess(target.server())
                self.server.start()
                self._enter(State.STARTING)
        except SpadeError as problem:
            self._lose(problem)

    def close(self) -> None:
        """Leave the server; stop it if we started it. Safe to call twice."""
        client, self.client = self.client, None
        if client is not None:
            client.close()
        server, self.server = self.server, None
        if server is not None:
            server.stop()
            self._console = server.console()
        self._enter(State.OFF)

    def step(self) -> list[Event]:
        """Look after the server, read what came; returns the events, in order."""
        if self.state is State.OFF:
            return []
        try:
            self._watch_server()
            events = self.client.poll() if self.client else []
        except SpadeError as problem:
            self._lose(problem)
            return []
        self._follow(events)
        return events

    def _watch_server(self) -> None:
        server = self.server
        if server is None or self.state is State.LOST:
            return
        if self.client is not None and not server.is_running:
            # it had worked: start it again where it was, the client sends its jobs once more
            self._gone_epoch = self.client.welcome.epoch if self.client.welcome else ""
            if not server.restart():
                server.check()
            self._enter(State.STARTING)
        elif self.state is State.STARTING:
            server.check()
            if server.is_ready:
                file = server.config.connection_file
                server.remember_address(read_connection_file(file).address)
                self._connect(self.client or Client.from_connection_file(file, software=SOFTWARE))

    def _follow(self, events: list[Event]) -> None:
        client, welcome = self.client, self.welcome
        if client is None or self.state is State.STARTING:
            return
        # one that was just started again had no time yet to break the silence
        if min(client.silent_s, time.monotonic() - self._since) > SILENCE_S:
            if self.state is not State.LOST:
                fix = "Check that it runs and that its address is right, then start it again."
                self._lose(Unavailable(f"The server at {client.address} does not answer.", fix=fix))
        elif (
            welcome is None or welcome.epoch == self._gone_epoch or (self.state is State.LOST and not events)
        ):
            return
        elif welcome.state == "failed":
            message, _, fix = welcome.problem.partition(". ")
            self._lose(Unavailable(f"{message.rstrip('.')}.", fix=fix or "Look at the server's console."))
        else:
            self._enter(State.WARMING if welcome.state == "warming" else State.READY)

    def _connect(self, client: Client) -> None:
        self.client = client
        self._enter(State.CONNECTING)

    def _lose(self, problem: SpadeError) -> None:
        self.error = problem
        self._enter(State.LOST)

    def _enter(self, state: State) -> None:
        if state is not self.state:
            self.state, self._since = state, time.monotonic()
