# SPDX-License-Identifier: Apache-2.0
"""The client: sends label maps, gets pictures, and never blocks its host unless asked to.

    with Client.connect() as client:
        picture = client.generate(PictureRequest(label_map, label_set, seed=7))

`events` and `events_async` hand out what happens to the jobs that `submit` sent. A host with a loop of its own, as
Blender, calls `poll` from a timer; see session.
"""

from __future__ import annotations

import os
import re
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from .codec import encode
from .connection import default_connection_file, known_credentials, read_connection_file
from .errors import CancelledError, DeadlineError, UnavailableError
from .keys import Credentials
from .labels import LabelSet, parse_label_set
from .messages import (
    Cancelled,
    ClientMessage,
    Drain,
    Failed,
    Finished,
    GetLabelSet,
    GetThumbnails,
    GoAway,
    LabelSetText,
    Progress,
    ServerStatus,
    Status,
    Thumbnails,
    Welcome,
)
from .pending_jobs import REPEAT_S
from .picture_files import decoded
from .progress import ProgressCallback
from .request import Delivery, Picture, PictureRequest
from .server_statistics import GetStatistics, Statistics
from .session import Delayed, Event, Session

__all__ = ["Client", "Delayed", "Event"]

SERVER_VARIABLE = "SPADE_SERVER"
"""Names the server in the environment, as `Client.at` takes it."""
_LOOK_S = 0.01
_ADDRESS = re.compile(r"tcp://[^\s/:]+:\d{1,5}|tcp://\[[0-9a-fA-F:]+\]:\d{1,5}")


class Client(Session):
    """A connection to one server over ZeroMQ. `generate`, `fetch_...`, `status` and `drain` wait."""

    def __init__(
        self,
        address: str,
        *,
        software: str = "python",
        credentials: Credentials | Literal["own"] | None = "own",
        first_patience_s: float = 4.0,
        patience_s: float = 15.0,
    ):
        """credentials: keys for the server; "own" are this user's, for a server of theirs on this machine.

        Raises UnavailableError where `address` is not an address; nothing is waited for.
        """
        # Here and not above: ZeroMQ takes as long to import as all the rest, and Blender starts without it.
        from .transport import DealerTransport

        self.address = address
        if credentials == "own":
            credentials = known_credentials(address)
        super().__init__(DealerTransport(address, credentials), software, first_patience_s, patience_s)

    @classmethod
    def connect(cls, server: Path | str | None = None, **options: Any) -> Client:
        """The server that is meant: `server`, which is what `at` takes, else that of the environment variable
        SPADE_SERVER, else the one that this user runs on this machine. Raises UnavailableError, ForbiddenError."""
        server = server or os.environ.get(SERVER_VARIABLE)
        return cls.at(str(server or default_connection_file()), **options)

    @classmethod
    def from_connection_file(cls, path: Path | str, **options: Any) -> Client:
        """The server that announced itself in a connection file, or that a key file is for. Raises UnavailableError,
        ForbiddenError."""
        connection = read_connection_file(Path(path))
        return cls(connection.address, credentials=connection.credentials, **options)

    @classmethod
    def control_of(cls, path: Path | str, **options: Any) -> Client:
        """The control address of the server that announced itself in a connection file. Raises the same."""
        connection = read_connection_file(Path(path))
        return cls(connection.control_address, credentials=connection.credentials, **options)

    @classmethod
    def at(cls, address: str, **options: Any) -> Client:
        """The server at tcp://host:port, or the one that a connection file or a key file of this name is of. Raises
        UnavailableError, ForbiddenError."""
        if Path(address).is_file() or Path(address) == default_connection_file():
            return cls.from_connection_file(Path(address), **options)
        if not _ADDRESS.fullmatch(address):
            raise UnavailableError(
                f"'{address}' is no server address.",
                "Write tcp://host:port, or name the server's connection file.",
            )
        return cls(address, **options)

    def fetch_welcome(self, timeout_s: float = 5) -> Welcome:
        """The server's introduction, waited for. Raises UnavailableError."""
        if self.welcome is None:
            self._wait(lambda event: isinstance(event, Welcome), timeout_s)
        if self.welcome is None:
            raise self._unavailable()
        return self.welcome

    def generate(
        self,
        request: PictureRequest,
        delivery: Delivery | None = None,
        *,
        timeout_s: float = 120,
        progress: ProgressCallback | None = None,
        on_event: Callable[[Event], None] | None = None,
    ) -> Picture:
        """Submit, wait, and return the picture; `timeout_s` stands for the delivery's patience.

        Raises SpadeError: what `submit` raises, what the server refuses, UnavailableError within seconds where no
        server answers, DeadlineError after `timeout_s`.
        """

        def notify(event: Event) -> None:
            if on_event is not None:
                on_event(event)
            if progress is not None and isinstance(event, Progress) and event.id == identity:
                progress(event.stage, event.fraction)

        identity = self.submit(request, replace(delivery or Delivery(), patience_s=timeout_s))
        try:
            last = self._wait(lambda event: _ends(event, identity), timeout_s, on_event=notify)
        finally:
            self.cancel(identity)  # only where it has not ended
            others = [event for event in self._events if getattr(event, "id", "") != identity]
            self._events = deque(others)
        if isinstance(last, Failed):
            raise last.error
        if isinstance(last, Finished):
            rgb = last.rgb if last.encoding == "raw" else decoded(last.file)
            return Picture(
                *(rgb, request.model, last.model_digest, request.seed, last.file, last.upscaler),
                *self._terms(request.model, last.upscaler),
            )
        if last is None:
            raise DeadlineError(
                f"There was no picture in {timeout_s:g} s.", "Allow more time, or a smaller size."
            )
        raise CancelledError("The job was cancelled.", "Start it again.")

    def _terms(self, model: str, upscaler: str) -> tuple[str, str]:
        """Of a model and of what enlarged its picture, as far as the server has said."""
        welcome = self.welcome
        if welcome is None:
            return "", ""
        terms = next((each.terms for each in welcome.models if each.name == model), "")
        return terms, welcome.terms_of_upscaler(upscaler)

    def events(self, timeout_s: float | None = None) -> Iterator[Event]:
        """What happens to the live jobs, waited for, until none is live; one that another event made the caller submit
        counts too. Raises DeadlineError where they are not over after `timeout_s`."""
        end = None if timeout_s is None else time.monotonic() + timeout_s
        while self.live or self._events:
            yield from self.poll(timeout_ms=100)
            _refuse_late(end, timeout_s)

    async def events_async(self, timeout_s: float | None = None) -> AsyncIterator[Event]:
        """The same in a coroutine: between two looks, 10 ms apart, others have their turn."""
        import asyncio  # here and not above: it is slow to import, and Blender does without

        end = None if timeout_s is None else time.monotonic() + timeout_s
        while self.live or self._events:
            for event in self.poll():
                yield event
            await asyncio.sleep(_LOOK_S)
            _refuse_late(end, timeout_s)

    def fetch_label_set(self, digest: str, timeout_s: float = 5) -> LabelSet:
        """Ask for the label set of a served model, by its digest. Raises LabelSetMismatchError or UnavailableError."""
        reply = self._answer(GetLabelSet(digest, self.ask_label_set(digest)), timeout_s)
        assert isinstance(reply, LabelSetText)
        return parse_label_set(reply.toml)

    def fetch_thumbnails(self, digest: str, timeout_s: float = 5) -> np.ndarray:
        """Pictures of a served model's styles, by the model's digest: (N, H, W, 3) uint8, in the order of
        ModelInfo.styles. Raises UnknownStyleError where it has none, or UnavailableError."""
        reply = self._answer(GetThumbnails(digest, self.ask_thumbnails(digest)), timeout_s)
        assert isinstance(reply, Thumbnails)
        return reply.rgb

    def status(self, timeout_s: float = 5) -> ServerStatus:
        """How the server is doing. Raises UnavailableError."""
        reply = self._ask(Status(), lambda event: isinstance(event, ServerStatus), timeout_s)
        assert isinstance(reply, ServerStatus)
        return reply

    def statistics(self, timeout_s: float = 5) -> Statistics:
        """Over a control address: how jobs have gone lately. Raises UnavailableError."""
        reply = self._ask(GetStatistics(), lambda event: isinstance(event, Statistics), timeout_s)
        assert isinstance(reply, Statistics)
        return reply

    def drain(self, timeout_s: float = 5, *, within_s: float | None = None) -> GoAway:
        """Over a control address: have the server finish its jobs and leave. within_s: what has not ended by then
        fails; None is the server's usual time. Raises UnavailableError."""
        within_ms = None if within_s is None else round(within_s * 1000)
        reply = self._ask(Drain(within_ms), lambda event: isinstance(event, GoAway), timeout_s)
        assert isinstance(reply, GoAway)
        return reply

    def close(self) -> None:
        """Leave at once, whatever goes on; jobs that have not ended are given up (the server notices)."""
        self._pending.jobs.clear()
        self._events.clear()
        self._transport.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- waiting ---

    def _answer(self, question: GetLabelSet | GetThumbnails, timeout_s: float) -> Event:
        try:
            reply = self._ask(question, lambda event: getattr(event, "id", "") == question.id, timeout_s)
        finally:
            self.drop_question(question.id)
        if isinstance(reply, Failed):
            raise reply.error
        return reply

    def _ask(self, question: ClientMessage, answers: Callable[[Event], bool], timeout_s: float) -> Event:
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
        """Turn until the wanted event comes, or the server is known to let nobody in; the other events stay for `poll`.
        `again` is sent once a second."""
        others: list[Event] = []
        now = time.monotonic()
        end, ask_at = now + timeout_s, now
        try:
            while now < end:
                if again is not None and now >= ask_at:
                    ask_at = now + REPEAT_S
                    self._transport.send(again)
                self._turn(min(0.1, end - now))
                while self._events:
                    event = self._events.popleft()
                    if on_event is not None:
                        on_event(event)
                    if wanted(event):
                        return event
                    others.append(event)
                if self._transport.refusal is not None:
                    return None
                now = time.monotonic()
            return None
        finally:
            self._events.extendleft(reversed(others))


def _refuse_late(end: float | None, timeout_s: float | None) -> None:
    if end is not None and time.monotonic() > end:
        raise DeadlineError(f"The jobs were not over in {timeout_s:g} s.", "Allow more time, or cancel them.")


def _ends(event: Event, identity: str) -> bool:
    return isinstance(event, Finished | Failed | Cancelled) and event.id == identity
