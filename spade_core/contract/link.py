# SPDX-License-Identifier: Apache-2.0
"""The client's socket; the only module of the contract that imports ZeroMQ."""

from __future__ import annotations

from typing import Any

import zmq

from .errors import Unavailable


class DealerLink:
    """A DEALER socket that never blocks. Every option is set: libzmq's defaults wait, and queue, for ever."""

    def __init__(self, address: str):
        self.address = address
        self._context = zmq.Context()
        try:
            self._socket = self._connected()
        except zmq.ZMQError:
            self.close()
            raise Unavailable(
                f"'{address}' is not an address.", "Write it like tcp://127.0.0.1:5555"
            ) from None

    def send(self, frames: list[Any]) -> None:
        try:
            self._socket.send_multipart(frames, zmq.DONTWAIT)
        except zmq.Again:
            pass  # nobody takes messages there: what matters is sent again after a second of silence

    def wait(self, seconds: float) -> bool:
        return bool(self._socket.poll(round(seconds * 1000)))

    def received(self) -> list[bytes] | None:
        try:
            return self._socket.recv_multipart(zmq.DONTWAIT)
        except zmq.Again:
            return None

    def renew(self) -> None:
        self._socket.close(linger=0)
        self._socket = self._connected()

    def close(self) -> None:
        self._context.destroy(linger=0)

    def _connected(self) -> zmq.Socket[bytes]:
        socket = self._context.socket(zmq.DEALER)
        socket.linger = 0
        socket.sndhwm, socket.rcvhwm = 64, 64
        socket.maxmsgsize = 64 * 2**20
        socket.handshake_ivl = 3000
        socket.heartbeat_ivl, socket.heartbeat_timeout, socket.heartbeat_ttl = 1000, 3000, 4000
        socket.reconnect_ivl, socket.reconnect_ivl_max = 50, 2000
        socket.connect(self.address)
        return socket
