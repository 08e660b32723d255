# SPDX-License-Identifier: Apache-2.0
"""The client's way over ZeroMQ; with sockets.py all of the contract that imports it."""

from __future__ import annotations

from typing import Any

import zmq

from .errors import UnavailableError
from .sockets import dealer


class DealerTransport:
    """A session.Transport: a DEALER socket that never blocks."""

    def __init__(self, address: str):
        """Raises UnavailableError where `address` is not an address; nothing is waited for."""
        self.address = address
        self._context = zmq.Context()
        try:
            self._socket = dealer(self._context, address)
        except zmq.ZMQError:
            self.close()
            raise UnavailableError(
                f"'{address}' is not an address.", "Write it like tcp://127.0.0.1:5555"
            ) from None

    def send(self, frames: list[Any]) -> None:
        try:
            self._socket.send_multipart(frames, zmq.DONTWAIT)
        except zmq.Again:
            pass  # nobody takes messages there: what matters is sent again after a second of silence

    def wait(self, seconds: float) -> bool:
        return bool(self._socket.poll(round(seconds * 1000)))

    def receive(self) -> list[bytes] | None:
        try:
            return self._socket.recv_multipart(zmq.DONTWAIT)
        except zmq.Again:
            return None

    def reconnect(self) -> None:
        self._socket.close(linger=0)
        self._socket = dealer(self._context, self.address)

    def close(self) -> None:
        self._context.destroy(linger=0)
