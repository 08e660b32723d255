# SPDX-License-Identifier: Apache-2.0
"""The TCP connections behind a listening socket: how many there are, and what each has sent and nobody has read yet.

libzmq bounds the size of a frame and the number of whole messages that wait, but neither the frames of a message that
is never finished nor the connections. So they are watched from outside: the socket's monitor says which descriptors are
open, the system how many bytes came in at each, and one that holds too much is shut.
"""

from __future__ import annotations

import socket as tcp
import struct
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import zmq
from zmq.utils.monitor import parse_monitor_message

from spade_core.contract.limits import MAX_MESSAGE_BYTES
from spade_core.contract.sockets import Socket, is_readable

UNREAD_BYTES = MAX_MESSAGE_BYTES + 24 * 2**20
"""Of one connection: a whole message that waits and the next one, or the largest and what the system keeps."""
ALL_UNREAD_BYTES = 96 * 2**20
WEIGH_S = 0.02
RESERVED_DESCRIPTORS = 64
"""For workers, files and the sockets themselves."""
_MOST_CONNECTIONS = 4000
_EVENTS = zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED
_ACKED_AT, _RECEIVED_AT = 120, 128  # tcpi_bytes_acked and _received in Linux's struct tcp_info, since 4.1
_CURVE_BYTES = 33  # around the content of a frame

Answer = TypeVar("Answer")


@dataclass
class _Connection:
    read: int = 0
    heard: bool = False


class Connections:
    """Those of one bound socket. `monitor` is for the broker's poller; belongs to its thread."""

    def __init__(self, socket: Socket, most: int | None = None):
        """most: connections at once; None leaves the process enough descriptors for its own needs."""
        self._socket = socket
        self._port = int(socket.getsockopt_string(zmq.LAST_ENDPOINT).rpartition(":")[2])
        self._most = most_connections() if most is None else most
        self._open: dict[int, _Connection] = {}  # by descriptor, the oldest first
        self._weighed_at = 0.0
        address = f"inproc://connections-{id(self)}"
        socket.monitor(address, _EVENTS)
        self.monitor: Socket = socket.context.socket(zmq.PAIR)
        self.monitor.linger, self.monitor.rcvhwm = 0, 0
        self.monitor.connect(address)

    def __len__(self) -> int:
        return len(self._open)

    def look(self, now: float) -> list[int]:
        """Take note of who came, and shut what is too much. Returns the descriptors of those who left."""
        left = []
        while is_readable(self.monitor):
            event = parse_monitor_message(self.monitor.recv_multipart())
            if event["event"] == zmq.EVENT_ACCEPTED:
                self._open[event["value"]] = _Connection()
            elif self._open.pop(event["value"], None) is not None:
                left.append(event["value"])
        for _ in range(len(self._open) - self._most):
            # Strangers first: they have three seconds to say who they are.
            self.shut(next((fd for fd, each in self._open.items() if not each.heard), next(iter(self._open))))
        if now - self._weighed_at > WEIGH_S:
            self._weighed_at = now
            self._shut_hoarders()
        return left

    def was_read(self, descriptor: int, frames: Sequence[zmq.Frame | memoryview]) -> None:
        """A whole message of this connection has been taken over by the broker."""
        connection = self._open.get(descriptor)
        if connection is not None:
            connection.heard = True
            connection.read += sum(_on_the_wire(len(frame)) for frame in frames)

    def taken(self, descriptor: int) -> int:
        """Bytes that the other side has taken of what was sent; 0 where the system does not say."""
        return _counted(descriptor, _ACKED_AT)

    def shut(self, descriptor: int) -> None:
        """End a connection, with all that libzmq holds for it."""
        if self._open.pop(descriptor, None) is None:
            return
        # Its number may have been given to something else since.
        if _of_socket(descriptor, lambda it: it.getsockname()[1], 0) == self._port:
            _of_socket(descriptor, lambda it: it.shutdown(tcp.SHUT_RDWR), None)

    def close(self) -> None:
        """Before the socket is closed."""
        self._socket.disable_monitor()
        self.monitor.close()

    def _shut_hoarders(self) -> None:
        unread = {fd: _counted(fd, _RECEIVED_AT) - each.read for fd, each in self._open.items()}
        total = sum(unread.values())
        for descriptor in sorted(unread, key=lambda fd: -unread[fd]):
            if unread[descriptor] <= UNREAD_BYTES and total <= ALL_UNREAD_BYTES:
                break
            total -= unread[descriptor]
            self.shut(descriptor)


def most_connections() -> int:
    """As many as leave the process its reserve, after it has taken all descriptors that the system allows it."""
    if sys.platform == "win32":
        return _MOST_CONNECTIONS
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_CONNECTIONS + RESERVED_DESCRIPTORS
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    elif soft == resource.RLIM_INFINITY:
        soft = wanted
    return max(1, min(_MOST_CONNECTIONS, soft - RESERVED_DESCRIPTORS))


def _of_socket(descriptor: int, question: Callable[[tcp.socket], Answer], otherwise: Answer) -> Answer:
    """What libzmq's socket of this descriptor answers; `otherwise` where it was closed meanwhile."""
    try:
        borrowed = tcp.socket(tcp.AF_INET, tcp.SOCK_STREAM, fileno=descriptor)
    except OSError:
        return otherwise
    try:
        return question(borrowed)
    except OSError:
        return otherwise
    finally:
        borrowed.detach()


def _counted(descriptor: int, at: int) -> int:
    """A number of the system's own count of a connection; 0 where it does not say."""
    if sys.platform != "linux":
        return 0
    facts = _of_socket(descriptor, lambda it: it.getsockopt(tcp.IPPROTO_TCP, tcp.TCP_INFO, at + 8), b"")
    return struct.unpack_from("=Q", facts, at)[0] if len(facts) >= at + 8 else 0


def _on_the_wire(size: int) -> int:
    framed = size + _CURVE_BYTES
    return framed + (2 if framed < 256 else 9)
