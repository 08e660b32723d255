# SPDX-License-Identifier: Apache-2.0
"""The client: sends label maps, gets pictures, and never blocks its host unless asked to.

    with Client.from_connection_file(default_connection_file()) as client:
        rgb = client.generate(label_map, label_set, seed=7)

A host with a loop of its own (Blender) calls `submit`, and then `poll` from a timer; see session.
"""

from __future__ import annotations

import time
import uuid
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .codec import encode
from .connection import read_connection_file
from .errors import Cancelled as CancelledError
from .errors import Deadline, Forbidden
from .labels import LabelSet, parse_label_set
from .ledger import REPEAT_S
from .messages import (
    Cancelled,
    Drain,
    Failed,
    Finished,
    GetLabelSet,
    GoAway,
    LabelSetText,
    Request,
    ServerStatus,
    Status,
)
from .session import Delayed, Event, Session

__all__ = ["Client", "Delayed", "Event"]


class Client(Session):
    """A connection to one server over ZeroMQ. Only `generate`, `label_set`, `status` and `drain` block."""

    def __init__(
        self,
        address: str,
        *,
        software: str = "python",
        server_key: bytes | None = None,
        first_patience_s: float = 4.0,
        patience_s: float = 15.0,
    ):
        """Raises Unavailable where `address` is not an address; nothing is waited for."""
        if server_key is not None:
            raise Forbidden(
                "This release cannot talk to a server with keys.", "Use a server on this machine."
            )
        # Here and not above: ZeroMQ takes as long to import as all the rest, and Blender starts without it.
        from .link import DealerLink

        self.address = address
        super().__init__(DealerLink(address), software, first_patience_s, patience_s)

    @classmethod
    def from_connection_file(cls, path: Path | str, **options: Any) -> Client:
        """The server that announced itself in a connection file. Raises Unavailable."""
        connection = read_connection_file(Path(path))
        key = connection.server_key.encode() if connection.server_key else None
        return cls(connection.address, server_key=key, **options)

    def generate(
        self,
        label_map: np.ndarray,
        label_set: LabelSet,
        *,
        timeout_s: float = 120,
        on_event: Callable[[Event], None] | None = None,
        **job: Any,
    ) -> np.ndarray:
        """Submit, wait, and return the picture, (H, W, 3) uint8; takes the keywords of `submit`.

        Raises SpadeError: Unavailable within seconds where no server answers, Deadline after `timeout_s`.
        """
        identity = self.submit(label_map, label_set, patience_s=timeout_s, **job)
        try:
            last = self._wait(lambda event: _ends(event, identity), timeout_s, on_event=on_event)
        finally:
            self.cancel(identity)  # only where it has not ended
            others = [event for event in self._events if getattr(event, "id", "") != identity]
            self._events = deque(others)
        if isinstance(last, Failed):
            raise last.error
        if isinstance(last, Finished):
            return last.rgb
        if last is None:
            raise Deadline(f"There was no picture in {timeout_s:g} s.", "Allow more time, or a smaller size.")
        raise CancelledError("The job was cancelled.", "Start it again.")

    def label_set(self, digest: str, timeout_s: float = 5) -> LabelSet:
        """The label set of a served model, by its digest. Raises LabelSetMismatch or Unavailable."""
        question = GetLabelSet(digest, uuid.uuid4().hex)
        self._questions.add(question.id)
        try:
            reply = self._ask(question, lambda event: getattr(event, "id", "") == question.id, timeout_s)
        finally:
            self._questions.discard(question.id)
        if isinstance(reply, Failed):
            raise reply.error
        assert isinstance(reply, LabelSetText)
        return parse_label_set(reply.toml)

    def status(self, timeout_s: float = 5) -> ServerStatus:
        """How the server is doing. Raises Unavailable."""
        reply = self._ask(Status(), lambda event: isinstance(event, ServerStatus), timeout_s)
        assert isinstance(reply, ServerStatus)
        return reply

    def drain(self, timeout_s: float = 5) -> GoAway:
        """Over a control address: have the server finish its jobs and leave. Raises Unavailable."""
        reply = self._ask(Drain(), lambda event: isinstance(event, GoAway), timeout_s)
        assert isinstance(reply, GoAway)
        return reply

    def close(self) -> None:
        """Leave at once; jobs that have not ended are given up (the server notices)."""
        self._link.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- waiting ---

    def _ask(self, question: Request, answers: Callable[[Event], bool], timeout_s: float) -> Event:
        reply = self._wait(answers, timeout_s, again=encode(question))
        if reply is None:
            raise self._unavailable()
        return reply

    def _wait(
        self,
        wanted: Callable[[Event], bool],
        timeout_s: float,
        *,
        on_event: Callable[[Event], None] | None = None,
        again: list[Any] | None = None,
    ) -> Event | None:
        """Turn until the wanted event comes; the others stay for `poll`. `again` is sent once a second."""
        others: list[Event] = []
        now = time.monotonic()
        end, ask_at = now + timeout_s, now
        try:
            while now < end:
                if again is not None and now >= ask_at:
                    ask_at = now + REPEAT_S
                    self._link.send(again)
                self._turn(min(0.1, end - now))
                while self._events:
                    event = self._events.popleft()
                    if on_event is not None:
                        on_event(event)
                    if wanted(event):
                        return event
                    others.append(event)
                now = time.monotonic()
            return None
        finally:
            self._events.extendleft(reversed(others))


def _ends(event: Event, identity: str) -> bool:
    return isinstance(event, Finished | Failed | Cancelled) and event.id == identity
