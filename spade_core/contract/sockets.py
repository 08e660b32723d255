# SPDX-License-Identifier: Apache-2.0
"""Every ZeroMQ socket of the product, with every option set: libzmq's defaults wait, and queue, for ever.

No socket has ZMTP heartbeats: where a peer is suspended, or does not read for a while, their timers meet a connection
that is in no state for it, and libzmq aborts the process. Who is there is known by Ping and Pong (pending_jobs), and
by TCP itself.
"""

from __future__ import annotations

import zmq

from .limits import MAX_MESSAGE_BYTES

Socket = zmq.Socket[bytes]
_WORKER_MESSAGE_BYTES = 2 * MAX_MESSAGE_BYTES  # what a client sent and the largest picture always fit


def dealer(context: zmq.Context, address: str) -> Socket:
    """A client's, connected to a server. Raises ZMQError where that is no address."""
    socket = _made(context, zmq.DEALER, MAX_MESSAGE_BYTES)
    # A host that does not poll, for it renders, must not stop the reading: progress of every job comes twice a second.
    # What can pile up is small, but for the pictures, of which a server owes one client a limited number.
    socket.sndhwm, socket.rcvhwm = 64, 0
    _watch_the_net(socket)
    socket.reconnect_ivl = 50
    socket.connect(address)
    return socket


def router(context: zmq.Context, address: str) -> Socket:
    """A server's, bound to an address for clients. Raises ZMQError where it cannot listen there."""
    socket = _made(context, zmq.ROUTER, MAX_MESSAGE_BYTES)
    socket.router_mandatory = 1
    socket.sndhwm, socket.rcvhwm = 8, 32
    _watch_the_net(socket)
    socket.bind(address)
    return socket


def worker_dealer(context: zmq.Context, address: str, token: bytes) -> Socket:
    """A worker's, connected to its broker on this machine, which knows it by the token."""
    socket = _made(context, zmq.DEALER, _WORKER_MESSAGE_BYTES)
    socket.routing_id = token
    socket.connect(address)
    return socket


def worker_router(context: zmq.Context) -> Socket:
    """A broker's for its workers, at a free loopback port."""
    socket = _made(context, zmq.ROUTER, _WORKER_MESSAGE_BYTES)
    socket.router_mandatory = 1
    socket.bind("tcp://127.0.0.1:*")
    return socket


def address_of(socket: Socket) -> str:
    """Where a bound socket listens."""
    return str(socket.getsockopt_string(zmq.LAST_ENDPOINT))


def _made(context: zmq.Context, kind: int, max_bytes: int) -> Socket:
    socket = context.socket(kind)
    socket.linger = 0
    socket.maxmsgsize = max_bytes
    return socket


def _watch_the_net(socket: Socket) -> None:
    """Notice within a quarter of a minute that the other machine has gone, and come back to it."""
    socket.handshake_ivl = 3000
    socket.tcp_keepalive, socket.tcp_keepalive_idle = 1, 5
    socket.tcp_keepalive_intvl, socket.tcp_keepalive_cnt = 3, 3
    socket.tcp_maxrt = 15_000  # of what is sent and not taken
    socket.reconnect_ivl_max = 2000
