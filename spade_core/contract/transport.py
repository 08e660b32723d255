# SPDX-License-Identifier: Apache-2.0
"""The client's way over ZeroMQ; with sockets.py all of the contract that imports it."""

from __future__ import annotations

import os
import uuid
from typing import Any

import zmq
from zmq.utils.monitor import recv_monitor_message

from .errors import ForbiddenError, SpadeError, UnavailableError
from .keys import Credentials
from .sockets import dealer, is_readable

_REFUSALS = (
    zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
)
_WRONG_KEY_TIMES = 3
"""Handshakes that end without a reason, one after the other: once or twice is a server that is being started."""


class DealerTransport:
    """A session.Transport: a DEALER socket that never blocks."""

    def __init__(self, address: str, credentials: Credentials | None = None):
        """Raises UnavailableError where `address` is not an address; nothing is waited for."""
        self.address, self._credentials = address, credentials
        self.refusal: SpadeError | None = None
        self._ended_handshakes, self._lost = 0, False
        self._process, self._closed = os.getpid(), False
        self._context = zmq.Context()
        try:
            self._open()
        except zmq.ZMQError:
            self.close()
            raise UnavailableError(
                f"'{address}' is not an address.", "Write it like tcp://127.0.0.1:5555"
            ) from None

    @property
    def local(self) -> bool:
        """Whether the server is on this machine, where nothing is gained by making messages smaller."""
        return self.address.startswith(("tcp://127.", "tcp://localhost:", "tcp://[::1]:"))

    def send(self, frames: list[Any]) -> None:
        self._refuse_unusable()
        try:
            self._socket.send_multipart(frames, zmq.DONTWAIT)
        except zmq.Again:
            pass  # nobody takes messages there: what matters is sent again after a second of silence

    def wait(self, seconds: float) -> bool:
        self._refuse_unusable()
        readable = bool(self._socket.poll(round(seconds * 1000)))
        while is_readable(self._monitor):
            event = recv_monitor_message(self._monitor)["event"]
            if event == zmq.EVENT_DISCONNECTED:
                self._lost = True
            else:
                self._on_handshake(event)
        return readable

    def lost_connection(self) -> bool:
        """Whether a connection ended since this was asked last."""
        lost, self._lost = self._lost, False
        return lost

    def receive(self) -> list[memoryview] | None:
        self._refuse_unusable()
        if not is_readable(self._socket):
            return None
        try:
            frames = self._socket.recv_multipart(zmq.DONTWAIT, copy=False)
        except zmq.Again:  # what was there went with its connection
            return None
        return [frame.buffer for frame in frames]  # not copied: a picture stays where libzmq has put it

    def reconnect(self) -> None:
        self._refuse_unusable()
        self._monitor.close(linger=0)
        self._socket.close(linger=0)
        self._open()

    def close(self) -> None:
        # In a child process the threads of the context do not exist: to end it there would wait for them for ever.
        if not self._closed and os.getpid() == self._process:
            self._context.destroy(linger=0)
        self._closed = True

    def _refuse_unusable(self) -> None:
        """Raises UnavailableError where nothing can be said any more, which libzmq would wait for or abort at."""
        if os.getpid() != self._process:
            raise UnavailableError(
                "This client belongs to the process that made it, and this one is its child.",
                "Make a client of its own in each process.",
            )
        if self._closed:
            raise UnavailableError("This client is closed.", "Make another one.")

    def _open(self) -> None:
        self._socket = dealer(self._context, self.address, self._credentials)
        # By a name of its own: pyzmq makes one of the descriptor's number, which the socket before may have had, and
        # libzmq may still be closing that one.
        watched = f"inproc://handshakes-{uuid.uuid4().hex}"
        self._socket.monitor(watched, _REFUSALS | zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED)
        self._monitor = self._context.socket(zmq.PAIR)
        self._monitor.connect(watched)

    def _on_handshake(self, event: int) -> None:
        if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            self.refusal, self._ended_handshakes = None, 0
        elif event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
            self.refusal = ForbiddenError(
                f"The server at {self.address} does not let this key in.",
                "It may have been revoked: ask who runs the server for a new key file.",
            )
        else:
            self._ended_handshakes += 1
            if self._ended_handshakes >= _WRONG_KEY_TIMES or event == zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL:
                self.refusal = self._not_understood()

    def _not_understood(self) -> ForbiddenError:
        if self._credentials is None:
            return ForbiddenError(
                f"The server at {self.address} lets nobody in without a key.",
                "Give its connection file, or the key file that you were sent, in place of the address.",
            )
        return ForbiddenError(
            f"The server at {self.address} is not the one of this key file.",
            "Ask who runs it for a new key file; on your own machine, connect again.",
        )
