# SPDX-License-Identifier: Apache-2.0
"""The client: sends label maps, gets pictures, and never blocks its host unless asked to.

    with Client.from_connection_file(default_connection_file()) as client:
        rgb = client.generate(label_map, label_set, seed=7)

A host with a loop of its own (Blender) calls `submit`, and then `poll` from a timer. What is lost on the way
is sent again under the same id, so each job ends in exactly one of Finished, Failed or Cancelled. A Client
belongs to one thread.
"""

from __future__ import annotations

import time
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import zmq

from .codec import decode_reply, encode, unpack_picture
from .connection import read_connection_file
from .errors import BadVersion, Deadline, Forbidden, Internal, SpadeError, Unavailable
from .errors import Cancelled as CancelledError
from .labels import LabelSet, parse_label_set
from .ledger import REPEAT_S, Ledger
from .messages import (
    Cancel,
    Cancelled,
    Drain,
    Failed,
    Finished,
    GetLabelSet,
    GoAway,
    Hello,
    LabelSetText,
    Limits,
    Ping,
    Pong,
    ReleaseDevice,
    Reply,
    Request,
    ServerStatus,
    Status,
    Welcome,
)
from .submission import submission


@dataclass(frozen=True)
class Delayed:
    """The server refused a job for now (busy, warming up); the client sends it again by itself."""

    id: str
    error: SpadeError


# What poll() hands out; `Finished.rgb` is filled in, and each job has exactly one terminal event.
Event = Reply | Delayed


class Client:
    """A connection to one server. Only `generate`, `label_set`, `status` and `drain` block.

    first_patience_s: how long a server that was never heard may be silent until jobs fail with Unavailable;
    patience_s: the same for one that was heard, and may just be starting again.
    """

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
        self.address = address
        self.welcome: Welcome | None = None
        self._session = uuid.uuid4().hex
        self._hello = encode(Hello(software=software[:80], client=self._session))
        self._ledger = Ledger(first_patience_s, patience_s, time.monotonic())
        self._questions: set[str] = set()
        self._events: deque[Event] = deque()
        self._epoch = ""
        self._context = zmq.Context()
        try:
            self._socket = self._connected()
        except zmq.ZMQError:
            self._context.destroy(linger=0)
            raise Unavailable(
                f"'{address}' is not an address.", "Write it like tcp://127.0.0.1:5555"
            ) from None

    @classmethod
    def from_connection_file(cls, path: Path | str, **options: Any) -> Client:
        """The server that announced itself in a connection file. Raises Unavailable."""
        connection = read_connection_file(Path(path))
        key = connection.server_key.encode() if connection.server_key else None
        return cls(connection.address, server_key=key, **options)

    @property
    def limits(self) -> Limits:
        """What one request may ask; the usual limits until the server has said."""
        return self.welcome.limits if self.welcome else Limits()

    @property
    def live(self) -> tuple[str, ...]:
        """The ids of jobs that have not ended."""
        return tuple(self._ledger.jobs)

    @property
    def silent_s(self) -> float:
        """Seconds without a word from the server; stays under 3 while it lives and `poll` is called."""
        return self._ledger.silent_s(time.monotonic())

    def submit(
        self, label_map: np.ndarray, label_set: LabelSet, *, patience_s: float = 120, **job: Any
    ) -> str:
        """Send one job and return its id; its events come from `poll`.

        label_map: (H, W) ids of `label_set`, row 0 at the top. Keywords, all optional: model="landscape",
        seed, style=Style(...), style_image (h, w, 3) uint8 for its look, size (height, width) of the picture
        (the map's by default), mode, encoding ("raw", or "png" | "jpeg" | "webp" for a slow net), compress
        (deflate the map), deadline_s, priority 0..2, replaces (id of a job this one makes stale), no_cache.
        patience_s: how long a busy or warming server is asked again. Raises BadShape, BadLabel, BadImage and
        TooLarge at once, before anything is sent.
        """
        identity, frames = submission(label_map, label_set, client=self._session, limits=self.limits, **job)
        if job.get("replaces"):
            self._end(Cancelled(job["replaces"]))
        self._ledger.add(identity, frames, time.monotonic(), patience_s)
        self._send(frames)
        return identity

    def cancel(self, job: str) -> None:
        """Stop a job: it ends with Cancelled at once, whatever the server manages to do."""
        if job in self._ledger.jobs:
            self._send(encode(Cancel(job)))
            self._end(Cancelled(job))

    def release_device(self) -> None:
        """Ask the server to give the device's memory back until the next job; answered by ServerStatus."""
        self._send(encode(ReleaseDevice()))

    def poll(self, timeout_ms: int = 0) -> list[Event]:
        """What has happened since the last call; waits up to `timeout_ms` for something to happen.

        Call it at least once a second while jobs are live: repeating and reconnecting are done here.
        """
        end = time.monotonic() + timeout_ms / 1000
        while True:
            self._turn(0.0 if self._events else min(0.1, max(0.0, end - time.monotonic())))
            if self._events or time.monotonic() >= end:
                events = list(self._events)
                self._events.clear()
                return events

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
        self._context.destroy(linger=0)

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
                    self._send(again)
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

    def _turn(self, wait_s: float) -> None:
        """Take in what has arrived, waiting at most `wait_s` for it, then do what is due."""
        self._ledger.looked(time.monotonic())
        if self._socket.poll(round(wait_s * 1000)):
            while (frames := self._received()) is not None:
                self._take(frames)
        now = time.monotonic()
        self._ledger.looked(now)
        due = self._ledger.due(now)
        if due.unavailable:
            for identity in self.live:
                self._end(Failed.of(identity, self._unavailable()))
            return
        if due.reconnect:
            self._socket.close(linger=0)
            self._socket = self._connected()
        for frames in due.resend:
            self._send(frames)
        if due.ping:
            self._send(encode(Ping()))

    def _unavailable(self) -> Unavailable:
        return Unavailable(
            f"The server at {self.address} does not answer.",
            "Start one with 'spade-server', or check the address.",
        )

    # --- what arrives ---

    def _take(self, frames: list[bytes]) -> None:
        now = time.monotonic()
        self._ledger.heard(now)
        try:
            reply, buffers = decode_reply(frames)
            if isinstance(reply, Finished):
                reply = _with_picture(reply, buffers)
        except BadVersion as error:
            for identity in self.live:
                self._end(Failed.of(identity, error))
            return
        except SpadeError:
            return  # repeating will bring it again
        if isinstance(reply, Welcome):
            self.welcome = reply
            self._meet(reply.epoch)
        elif isinstance(reply, Pong):
            self._meet(reply.epoch)
        identity = getattr(reply, "id", "")
        if not identity or identity in self._questions:
            self._events.append(reply)
        elif identity not in self._ledger.jobs:
            return  # ended already; an answer to a repeated message
        elif isinstance(reply, Failed) and reply.retryable and self._ledger.delay(identity, reply.error, now):
            self._events.append(Delayed(identity, reply.error))
        elif isinstance(reply, Finished | Failed | Cancelled):
            self._end(reply)
        else:
            self._events.append(reply)

    def _meet(self, epoch: str) -> None:
        """Another epoch is another server process: introduce oneself, and tell it of the live jobs."""
        if self._epoch and epoch != self._epoch:
            self._send(self._hello)
            for frames in self._ledger.unanswered():
                self._send(frames)
        self._epoch = epoch

    def _end(self, event: Finished | Failed | Cancelled) -> None:
        if self._ledger.jobs.pop(event.id, None) is not None:
            self._events.append(event)

    # --- the socket ---

    def _connected(self) -> zmq.Socket[bytes]:
        socket = self._context.socket(zmq.DEALER)
        socket.linger = 0
        socket.sndhwm, socket.rcvhwm = 64, 64
        socket.maxmsgsize = 64 * 2**20
        socket.handshake_ivl = 3000
        socket.heartbeat_ivl, socket.heartbeat_timeout, socket.heartbeat_ttl = 1000, 3000, 4000
        socket.reconnect_ivl, socket.reconnect_ivl_max = 50, 2000
        socket.connect(self.address)
        socket.send_multipart(self._hello, zmq.DONTWAIT)
        return socket

    def _send(self, frames: list[Any]) -> None:
        try:
            self._socket.send_multipart(frames, zmq.DONTWAIT)
        except zmq.Again:
            pass  # nobody takes messages there: what matters is sent again after a second of silence

    def _received(self) -> list[bytes] | None:
        try:
            return self._socket.recv_multipart(zmq.DONTWAIT)
        except zmq.Again:
            return None


def _ends(event: Event, identity: str) -> bool:
    return isinstance(event, Finished | Failed | Cancelled) and event.id == identity


def _with_picture(reply: Finished, buffers: list[memoryview]) -> Finished:
    if reply.encoding == "raw":
        return replace(reply, rgb=unpack_picture(reply, buffers))
    if not buffers:
        raise Internal("The server sent no picture.", "Try again.")
    return replace(reply, file=bytes(buffers[0]))
