# SPDX-License-Identifier: Apache-2.0
"""A session with a server: jobs go out, events come back, and nothing blocks or knows of sockets.

What is lost on the way is sent again under the same id, so each job ends in exactly one of Finished, Failed
or Cancelled. The link that carries the frames is given; the client brings one of ZeroMQ.
"""

from __future__ import annotations

import time
import uuid
from collections import deque
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from .codec import decode_reply, encode, unpack_picture
from .errors import BadVersion, Internal, SpadeError, Unavailable
from .labels import LabelSet
from .ledger import Ledger
from .messages import (
    Cancel,
    Cancelled,
    Failed,
    Finished,
    Hello,
    LabelSetText,
    Limits,
    Ping,
    Pong,
    ReleaseDevice,
    Reply,
    Welcome,
)
from .submission import submission


@dataclass(frozen=True)
class Delayed:
    """The server refused a job for now (busy, warming up); the session sends it again by itself."""

    id: str
    error: SpadeError


# What poll() hands out; `Finished.rgb` is filled in, and each job has exactly one terminal event.
Event = Reply | Delayed


class Link(Protocol):
    """Carries frames to one address, in order and without blocking, or not at all."""

    address: str

    def send(self, frames: list[Any]) -> None: ...
    def wait(self, seconds: float) -> bool: ...
    def received(self) -> list[bytes] | None: ...
    def renew(self) -> None: ...
    def close(self) -> None: ...


class Session:
    """Talks to one server over a link; belongs to one thread.

    first_patience_s: how long a server that was never heard may be silent until jobs fail with Unavailable;
    patience_s: the same for one that was heard, and may just be starting again.
    """

    def __init__(self, link: Link, software: str, first_patience_s: float, patience_s: float):
        self.welcome: Welcome | None = None
        self._link = link
        self._session = uuid.uuid4().hex
        self._hello = encode(Hello(software=software[:80], client=self._session))
        self._ledger = Ledger(first_patience_s, patience_s, time.monotonic())
        self._questions: set[str] = set()
        self._events: deque[Event] = deque()
        self._epoch = ""
        link.send(self._hello)

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
        self._link.send(frames)
        return identity

    def cancel(self, job: str) -> None:
        """Stop a job: it ends with Cancelled at once, whatever the server manages to do."""
        if job in self._ledger.jobs:
            self._link.send(encode(Cancel(job)))
            self._end(Cancelled(job))

    def release_device(self) -> None:
        """Ask the server to give the device's memory back until the next job; answered by ServerStatus."""
        self._link.send(encode(ReleaseDevice()))

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

    # --- within ---

    def _turn(self, wait_s: float) -> None:
        """Take in what has arrived, waiting at most `wait_s` for it, then do what is due."""
        self._ledger.looked(time.monotonic())
        if self._link.wait(wait_s):
            while (frames := self._link.received()) is not None:
                self._take(frames)
        now = time.monotonic()
        self._ledger.looked(now)
        due = self._ledger.due(now)
        if due.unavailable:
            for identity in self.live:
                self._end(Failed.of(identity, self._unavailable()))
            return
        if due.reconnect:
            self._link.renew()
            self._link.send(self._hello)
        for frames in due.resend:
            self._link.send(frames)
        if due.ping:
            self._link.send(encode(Ping()))

    def _unavailable(self) -> Unavailable:
        return Unavailable(
            f"The server at {self._link.address} does not answer.",
            "Start one with 'spade-server', or check the address.",
        )

    def _take(self, frames: list[bytes]) -> None:
        now = time.monotonic()
        self._ledger.heard(now)
        try:
            reply, buffers = decode_reply(frames)
            reply = _with_buffers(reply, buffers)
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
            self._link.send(self._hello)
            for frames in self._ledger.unanswered():
                self._link.send(frames)
        self._epoch = epoch

    def _end(self, event: Finished | Failed | Cancelled) -> None:
        if self._ledger.jobs.pop(event.id, None) is not None:
            self._events.append(event)


def _with_buffers(reply: Reply, buffers: list[memoryview]) -> Reply:
    """The reply with what travelled beside its header. Raises SizeMismatch, Internal."""
    if not isinstance(reply, Finished | LabelSetText):
        return reply
    if not buffers:
        raise Internal("The server's reply is incomplete.", "Try again.")
    if isinstance(reply, LabelSetText):
        return replace(reply, toml=bytes(buffers[0]).decode("utf-8", "replace"))
    if reply.encoding == "raw":
        return replace(reply, rgb=unpack_picture(reply, buffers))
    return replace(reply, file=bytes(buffers[0]))
