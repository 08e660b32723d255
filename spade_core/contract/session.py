# SPDX-License-Identifier: Apache-2.0
"""A session with a server: jobs go out, events come back, and nothing blocks or knows of sockets.

What is lost on the way is sent again under the same id, so each job ends in exactly one of Finished, Failed
or Cancelled. The transport that carries the frames is given; the client brings one of ZeroMQ.
"""

from __future__ import annotations

import time
import uuid
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from .codec import decode_server_message, encode
from .errors import (
    BadHeaderError,
    BadOptionError,
    BadVersionError,
    SpadeError,
    UnavailableError,
)
from .limits import LARGEST_SIDE, Limits
from .messages import (
    PREVIEW,
    SENDING,
    Cancel,
    Cancelled,
    Failed,
    Finished,
    GetLabelSet,
    GetThumbnails,
    Hello,
    Ping,
    Pong,
    Progress,
    ReleaseDevice,
    ServerMessage,
    Welcome,
)
from .pending_jobs import PendingJobs
from .received import WrongPictureError, picture, with_buffers
from .request import Delivery, PictureRequest
from .submission import submit_from


@dataclass(frozen=True)
class Delayed:
    """The server refused a job for now (busy, warming up); the session sends it again by itself."""

    id: str
    error: SpadeError


# What poll() hands out; `Finished.rgb` is filled in, and each job has exactly one terminal event.
Event = ServerMessage | Delayed

_DELIVERY = Delivery()
INSTANCES_SINCE = WRAP_SINCE = 7
"""The minor version from which on a server takes instance maps, and makes ends meet: older ones would leave it out
without a word."""
PREVIEW_SINCE, PLACES_SINCE = 8, 9
"""The same of previews, and of parts in styles of their own."""


class Transport(Protocol):
    """Carries frames to one address, in order and without blocking, or not at all."""

    address: str
    refusal: SpadeError | None
    """Why the server lets nobody in with these keys, as far as is known."""

    @property
    def local(self) -> bool: ...
    def send(self, frames: list[Any]) -> None: ...
    def wait(self, seconds: float) -> bool: ...
    def receive(self) -> Sequence[bytes | memoryview] | None: ...
    def reconnect(self) -> None: ...
    def lost_connection(self) -> bool: ...
    def close(self) -> None: ...


class Session:
    """Talks to one server over a transport; belongs to one thread.

    first_patience_s: how long a server that was never heard may be silent until jobs fail with Unavailable;
    patience_s: the same for one that was heard, and may just be starting again.
    """

    def __init__(self, transport: Transport, software: str, first_patience_s: float, patience_s: float):
        self.welcome: Welcome | None = None
        self._transport = transport
        self.id = uuid.uuid4().hex
        """Names this session in the server's log; who knows it and a job's id can have the job's picture sent again."""
        self._hello = encode(Hello(software=software[:80], client=self.id))
        self._pending = PendingJobs(first_patience_s, patience_s, time.monotonic())
        self._questions: set[str] = set()
        self._events: deque[Event] = deque()
        self._epoch = ""
        transport.send(self._hello)

    @property
    def limits(self) -> Limits:
        """What one request may ask; until the server has said, what none goes beyond."""
        return self.welcome.limits if self.welcome else Limits(max_side=LARGEST_SIDE)

    @property
    def live(self) -> tuple[str, ...]:
        """The ids of jobs that have not ended."""
        return tuple(self._pending.jobs)

    @property
    def silent_s(self) -> float:
        """Seconds without a word from the server, none while a large picture arrives; stays under 3 while it lives and
        `poll` is called."""
        return self._pending.silent_s(time.monotonic())

    def submit(self, request: PictureRequest, delivery: Delivery = _DELIVERY) -> str:
        """Send one job and return its id; its events come from `poll`.

        Raises what `check` of both raises at once, before anything is sent, and BadOptionError for an instance map, a
        wrapping, a preview or styles of parts that the server is known not to take.
        """
        delivery = replace(delivery, compress=delivery.compress or not self._transport.local)
        submit, buffers = submit_from(request, delivery, self.id, self.limits)
        if submit.instances is not None and self.welcome is not None and self.welcome.minor < INSTANCES_SINCE:
            raise BadOptionError(
                "This server is of an earlier version, which takes no instance map.",
                "Update the server, or leave the instance map out.",
            )
        if self.welcome is not None and any(request.wrap) and self.welcome.minor < WRAP_SINCE:
            raise BadOptionError(
                "This server cannot paint a picture whose ends meet.",
                "Update the server, or leave wrapping out.",
            )
        if self.welcome is not None and request.precision == PREVIEW and self.welcome.minor < PREVIEW_SINCE:
            raise BadOptionError(
                "This server is of an earlier version, which paints no previews.",
                "Update the server, or ask for the exact picture.",
            )
        if self.welcome is not None and submit.places is not None and self.welcome.minor < PLACES_SINCE:
            raise BadOptionError(
                "This server is of an earlier version, which paints all of a picture in one style.",
                "Update the server, or give the whole picture one style.",
            )
        if self.welcome is not None and delivery.encoding not in self.welcome.encodings:
            raise BadHeaderError(
                f"This server cannot send a picture as '{delivery.encoding}'.",
                f"Use {', '.join(self.welcome.encodings)}.",
            )
        frames = encode(submit, buffers)
        if delivery.replaces:
            self._end(Cancelled(delivery.replaces))
        size = submit.output.size or submit.shape
        self._pending.add(submit.id, frames, time.monotonic(), delivery.patience_s, size)
        self._transport.send(frames)
        return submit.id

    def cancel(self, job: str) -> None:
        """Stop a job: it ends with Cancelled at once, whatever the server manages to do."""
        if job in self._pending.jobs:
            self._transport.send(encode(Cancel(job)))
            self._end(Cancelled(job))

    def ask_label_set(self, digest: str, question: str = "") -> str:
        """Ask for the label set of a served model, by its digest, and return the id of the LabelSetText or Failed that
        `poll` will bring; the same `question` again where it does not come."""
        return self._put(GetLabelSet(digest, question or uuid.uuid4().hex))

    def ask_thumbnails(self, digest: str, question: str = "") -> str:
        """The same for pictures of a served model's styles, by the model's digest: Thumbnails or Failed."""
        return self._put(GetThumbnails(digest, question or uuid.uuid4().hex))

    def drop_question(self, question: str) -> None:
        """Nobody waits for this answer any more."""
        self._questions.discard(question)

    def release_device(self) -> None:
        """Ask the server to give the device's memory back until the next job, as for a render; answered by
        ServerStatus."""
        self._transport.send(encode(ReleaseDevice()))

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

    def _put(self, question: GetLabelSet | GetThumbnails) -> str:
        self._questions.add(question.id)
        self._transport.send(encode(question))
        return question.id

    def _turn(self, wait_s: float) -> None:
        """Take in what has arrived, waiting at most `wait_s` for it, then do what is due."""
        self._pending.listening(time.monotonic())
        if self._transport.wait(wait_s):
            while (frames := self._transport.receive()) is not None:
                self._on_frames(frames)
        now = time.monotonic()
        self._pending.listening(now)
        if self._transport.lost_connection():
            self._pending.disconnected()
        actions = self._pending.due(now)
        if actions.unavailable or self._transport.refusal is not None:
            for identity in self.live:
                self._end(Failed.of(identity, self._unavailable()))
            return
        if actions.reconnect:
            self._transport.reconnect()
            self._transport.send(self._hello)
        for frames in actions.resend:
            self._transport.send(frames)
        if actions.ping:
            self._transport.send(encode(Ping()))

    def _unavailable(self) -> SpadeError:
        return self._transport.refusal or UnavailableError(
            f"The server at {self._transport.address} does not answer.",
            "Start one with 'spade-server', or check the address.",
        )

    def _on_frames(self, frames: Sequence[bytes | memoryview]) -> None:
        now = time.monotonic()
        self._pending.heard(now)
        try:
            reply, buffers = decode_server_message(frames)
            if isinstance(reply, Finished) and (asked := self._pending.jobs.get(reply.id)) is not None:
                reply = picture(reply, buffers, asked.size)
            else:
                reply = with_buffers(reply, buffers)
        except WrongPictureError as error:
            self._end(Failed.of(error.job, error))
            return
        except BadVersionError as error:
            for identity in self.live:
                self._end(Failed.of(identity, error))
            return
        except SpadeError:
            return  # repeating will bring it again
        if isinstance(reply, Welcome):
            self.welcome = reply
            self._on_epoch(reply.epoch)
        elif isinstance(reply, Pong):
            self._on_epoch(reply.epoch)
        identity = getattr(reply, "id", "")
        self._pending.heard_of(identity, now)
        if isinstance(reply, Progress) and reply.stage == SENDING:
            self._pending.arriving(identity, now)
        if not identity or identity in self._questions:
            self._events.append(reply)
        elif identity not in self._pending.jobs:
            return  # ended already; an answer to a repeated message
        elif (
            isinstance(reply, Failed) and reply.retryable and self._pending.delay(identity, reply.error, now)
        ):
            self._events.append(Delayed(identity, reply.error))
        elif isinstance(reply, Finished | Failed | Cancelled):
            self._end(reply)
        else:
            self._events.append(reply)

    def _on_epoch(self, epoch: str) -> None:
        """Another epoch is another server process: introduce oneself, and tell it of the live jobs."""
        if self._epoch and epoch != self._epoch:
            self._transport.send(self._hello)
            for frames in self._pending.unanswered():
                self._transport.send(frames)
        self._epoch = epoch

    def _end(self, event: Finished | Failed | Cancelled) -> None:
        if self._pending.jobs.pop(event.id, None) is not None:
            self._events.append(event)
