# SPDX-License-Identifier: Apache-2.0
"""Every ZeroMQ socket of the product, with every option set: libzmq's defaults wait, and queue, for ever.

No socket has ZMTP heartbeats: where a peer is suspended, or does not read for a while, their timers meet a connection
that is in no state for it, and libzmq aborts the process. Who is there is known by Ping and Pong (pending_jobs), and
by TCP itself.
"""

from __future__ import annotations

import zmq

from .keys import Credentials, KeyPair
from .limits import MAX_FRAME_BYTES, MAX_REPLY_FRAME_BYTES

Socket = zmq.Socket[bytes]
_WORKER_FRAME_BYTES = 2 * MAX_REPLY_FRAME_BYTES  # what a client sent and the largest picture always fit

_HANDSHAKE_MS = 3000
_IN = int(zmq.POLLIN)  # the enumeration's own operators take longer than the question


def dealer(context: zmq.Context, address: str, credentials: Credentials | None = None) -> Socket:
    """A client's, connected to a server. Raises ZMQError where that is no address."""
    socket = _made(context, zmq.DEALER, MAX_REPLY_FRAME_BYTES)
    if credentials is not None:
        _show_key(socket, credentials)
    # A host that does not poll, for it renders, must not stop the reading: progress of every job comes twice a second.
    # What can pile up is small, but for the pictures, of which a server owes one client a limited number.
    socket.sndhwm, socket.rcvhwm = 64, 0
    _watch_the_net(socket)
    socket.reconnect_ivl = 50
    socket.connect(address)
    return socket


def router(context: zmq.Context, address: str, keys: KeyPair, domain: bytes) -> Socket:
    """A server's, bound to an address for clients. domain: what the context's doorkeeper is told to judge by.

    Raises ZMQError where it cannot listen there.
    """
    socket = _made(context, zmq.ROUTER, MAX_FRAME_BYTES)
    _ask_for_keys(socket, keys)
    socket.zap_domain = domain
    socket.router_mandatory = 1
    # What waits is counted in messages: of those that come in one may have 48 MiB. The server counts the bytes of those
    # that leave itself. (With 1 libzmq reads nothing at all.)
    socket.sndhwm, socket.rcvhwm = 8, 2
    _watch_the_net(socket)
    socket.bind(address)
    return socket


def worker_dealer(context: zmq.Context, address: str, token: bytes, broker_key: str) -> Socket:
    """A worker's, connected to its broker on this machine, which knows it by the token."""
    socket = _made(context, zmq.DEALER, _WORKER_FRAME_BYTES)
    _show_key(socket, Credentials(broker_key, KeyPair.new()))
    socket.routing_id = token
    socket.connect(address)
    return socket


def worker_router(context: zmq.Context, keys: KeyPair) -> Socket:
    """A broker's for its workers: at a free loopback port, where who does not know the public key cannot say a word.

    No file in a private folder, which would need no encryption: where a process has no descriptors left, and strangers
    see to that, libzmq aborts it as soon as somebody connects to a file. (At a port it lets him wait.)
    """
    socket = _made(context, zmq.ROUTER, _WORKER_FRAME_BYTES)
    socket.router_mandatory = 1
    socket.handshake_ivl = _HANDSHAKE_MS
    _ask_for_keys(socket, keys)
    socket.bind("tcp://127.0.0.1:*")
    return socket


def is_readable(socket: Socket) -> bool:
    """Whether a message waits; `poll(0)` would make a poller for the question."""
    return bool(int(socket.getsockopt(zmq.EVENTS)) & _IN)


def address_of(socket: Socket) -> str:
    """Where a bound socket listens."""
    return str(socket.getsockopt_string(zmq.LAST_ENDPOINT))


def _ask_for_keys(socket: Socket, keys: KeyPair) -> None:
    socket.curve_server = True
    socket.curve_publickey, socket.curve_secretkey = keys.public.encode(), keys.secret.encode()


def _show_key(socket: Socket, credentials: Credentials) -> None:
    own = credentials.client
    socket.curve_serverkey = credentials.server_key.encode()
    socket.curve_publickey, socket.curve_secretkey = own.public.encode(), own.secret.encode()


def _made(context: zmq.Context, kind: int, max_bytes: int) -> Socket:
    socket = context.socket(kind)
    socket.linger = 0
    socket.maxmsgsize = max_bytes
    return socket


def _watch_the_net(socket: Socket) -> None:
    """Notice within a quarter of a minute that the other machine has gone, and come back to it."""
    socket.handshake_ivl = _HANDSHAKE_MS
    socket.tcp_keepalive, socket.tcp_keepalive_idle = 1, 5
    socket.tcp_keepalive_intvl, socket.tcp_keepalive_cnt = 3, 3
    socket.tcp_maxrt = 15_000  # of what is sent and not taken
    socket.reconnect_ivl_max = 2000
