# SPDX-License-Identifier: Apache-2.0
"""The broker: one thread that polls all sockets, answers clients and feeds the workers.

It never blocks, holds no weights and imports no torch, so a ping is answered while the device is busy.
"""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable, Sequence

import zmq

from spade_core.contract.codec import decode_client_message, encode, id_in, pack_table
from spade_core.contract.connection import ConnectionInfo
from spade_core.contract.errors import BadKindError, ForbiddenError, InternalError, SpadeError
from spade_core.contract.limits import Limits
from spade_core.contract.messages import (
    Cancel,
    ClientMessage,
    Drain,
    Failed,
    GetLabelSet,
    GetStatistics,
    GetThumbnails,
    GoAway,
    Hello,
    LabelSetText,
    ModelInfo,
    Ping,
    ReleaseDevice,
    ServerMessage,
    Status,
    Submit,
    Thumbnails,
    Welcome,
)
from spade_core.contract.server_statistics import Statistics
from spade_core.contract.sockets import Socket, address_of, router
from spade_core.contract.submission import Buffer

from .backends.base import Backend
from .config import ServerConfig
from .gate import CONTROL, Gate
from .keys import LOCAL, KeyStore
from .monitoring.monitor import Monitor
from .monitoring.statistics import WINDOW_S
from .peers import Peer, Peers
from .scheduler import Scheduler

DRAIN_S = 30.0
_TURN_MS, _BACKLOG_TURN_MS = 50, 5
_MESSAGES_A_TURN = 64  # so that a flood on one socket cannot starve the workers' answers


class Broker:
    """Closes the back end that it is given. `log` is called, with a sentence, for what an operator should know."""

    def __init__(
        self,
        config: ServerConfig,
        backend: Backend,
        store: KeyStore,
        monitor: Monitor,
        log: Callable[[str], None],
    ):
        """Raises ZMQError where the address of the configuration cannot be listened at, and what reading keys does."""
        self._log = log
        self._leave_at: float | None = None
        self._announced: tuple[Welcome, tuple[ModelInfo, ...]] | None = None
        self._backend = backend
        self._monitor = monitor
        self._context = zmq.Context()
        try:
            keys, local = store.identity(), store.local()
            self._gate = Gate(self._context, store)
            self._front = router(self._context, config.bind, keys, b"work")
            self._control = router(self._context, "tcp://127.0.0.1:*", keys, CONTROL)
        except (zmq.ZMQError, SpadeError):
            self._context.destroy()
            raise
        self._peers = {socket: Peers(socket) for socket in (self._front, self._control)}
        limits = Limits(max_side=config.max_side)
        self._scheduler = Scheduler(
            limits,
            backend,
            self._reply,
            monitor.job_ended,
            60 * config.unload_after,
            time.monotonic(),
        )
        self.connection = ConnectionInfo(
            address_of(self._front).replace("//0.0.0.0:", "//127.0.0.1:"),
            address_of(self._control),
            os.getpid(),
            server_key=keys.public,
            client_key=local.public,
            client_secret=local.secret,
            user=LOCAL,
        )

    def run(self, stop_requests: Callable[[], int], parent_gone: Callable[[], bool]) -> None:
        """Serve until asked to stop (once: finish first; twice: at once) or until the parent has gone."""
        poller = zmq.Poller()
        for socket in (self._gate.socket, self._front, self._control, self._backend.socket):
            poller.register(socket, zmq.POLLIN)
        while not (self._done() or stop_requests() > 1 or parent_gone()):
            backlog = any(peers.backlog for peers in self._peers.values())
            readable = dict(poller.poll(_BACKLOG_TURN_MS if backlog else _TURN_MS))
            now = time.monotonic()
            if stop_requests():
                self._drain(now, DRAIN_S)
            self._gate.answer()
            for socket in self._peers:
                if socket in readable:
                    self._serve(socket, now)
            for event in self._backend.events(now):
                self._scheduler.on_event(event, now)
            self._housekeep()

    def close(self) -> None:
        """Leave: what was replied is given a second to get out, the workers end."""
        now = time.monotonic()
        self._scheduler.close(now)
        for peers in self._peers.values():
            peers.flush(now)
        self._backend.close()
        self._gate.socket.close()
        for socket in self._peers:
            socket.close(linger=1000)
        self._context.term()

    # --- turns ---

    def _done(self) -> bool:
        if self._leave_at is None:
            return False
        waiting = self._scheduler.live or any(peers.backlog for peers in self._peers.values())
        return not waiting or time.monotonic() > self._leave_at

    def _drain(self, now: float, within_s: float) -> None:
        if self._leave_at is None:
            self._leave_at = now + within_s
            self._scheduler.draining = True
            self._log(f"Leaving. Jobs to finish first: {self._scheduler.live}, {within_s:g} s at most.")
            for peer in self._peers[self._front].greeted():
                self._reply(peer, GoAway(round(within_s * 1000)))

    def _housekeep(self) -> None:
        now = time.monotonic()  # not that of the turn's begin: this process may have been paused in it
        self._scheduler.tick(now)
        self._monitor.turn(self._scheduler.state, self._scheduler.status, now)
        for peers in self._peers.values():
            peers.flush(now)
        for gone in self._peers[self._front].gone:
            self._scheduler.on_peer_gone(gone, now)
        for peers in self._peers.values():
            peers.gone.clear()
        welcome = self._scheduler.welcome()
        if (welcome, self._scheduler.models) != self._announced:
            self._announced = welcome, self._scheduler.models
            self._log(f"{self.connection.address}: {_description(welcome, self._scheduler.models)}")
            for peer in self._peers[self._front].greeted():
                self._reply(peer, welcome, self._model_table())

    def _serve(self, socket: Socket, now: float) -> None:
        for _ in range(_MESSAGES_A_TURN):
            try:
                identity, *received = socket.recv_multipart(zmq.DONTWAIT, copy=False)
            except zmq.Again:
                return
            peer = self._peers[socket].heard(identity.bytes, now)
            frames = [frame.bytes for frame in received]
            try:
                peer.user = peer.user or _user_of(received)
                if not self._gate.lets_in(peer.user):
                    raise ForbiddenError(
                        f"The key of '{peer.user}' was revoked.",
                        "Ask who runs the server for a new key file.",
                    )
                message, buffers = decode_client_message(frames)
                self._answer(socket, peer, message, buffers, now)
            except SpadeError as error:
                self._complain(socket, peer, frames, error, now)
            except Exception as fault:  # a fault of ours in one message must not end the others' jobs
                self._log("".join(traceback.format_exception(fault)))
                error = InternalError("The server failed on this message.", "See the server's console.")
                self._complain(socket, peer, frames, error, now)

    def _answer(
        self, socket: Socket, peer: Peer, message: ClientMessage, buffers: Sequence[Buffer], now: float
    ) -> None:
        """One message; raises SpadeError where the answer is a complaint."""
        match message:
            case Hello():
                peer.greeted, peer.client = True, message.client
                self._send(socket, peer.identity, self._scheduler.welcome(), self._model_table())
            case Ping():
                self._send(socket, peer.identity, self._scheduler.pong(), droppable=True)
            case Status():
                self._send(socket, peer.identity, self._scheduler.status(now))
            case Drain() if socket is self._control:
                within_s = DRAIN_S if message.within_ms is None else max(0, message.within_ms) / 1000
                self._drain(now, within_s)
                left_s = max(0.0, (self._leave_at or now) - now)
                self._send(socket, peer.identity, GoAway(round(left_s * 1000)))
            case GetStatistics() if socket is self._control:
                rows = self._monitor.rows(self._scheduler.jobs)
                self._send(socket, peer.identity, Statistics(WINDOW_S), [pack_table(rows)])
            case Submit() if socket is self._front:
                peer.client = message.client
                self._scheduler.submit(peer.identity, peer.user, message, buffers, now)
            case Cancel() if socket is self._front:
                self._scheduler.cancel((peer.client, message.id), now)
            case GetLabelSet():
                text = self._scheduler.label_set_text(message.digest)
                self._send(socket, peer.identity, LabelSetText(message.id), [text.encode()])
            case GetThumbnails():
                shape, rgb = self._scheduler.thumbnails(message.digest)
                self._send(socket, peer.identity, Thumbnails(message.id, shape), [rgb])
            case ReleaseDevice() if peer.user != LOCAL:
                raise ForbiddenError(
                    "The device of a server that others use is not given back.", "Ask who runs the server."
                )
            case ReleaseDevice():
                self._scheduler.release_device()
                self._send(socket, peer.identity, self._scheduler.status(now))
            case _:
                raise BadKindError(
                    f"{type(message).__name__} is not for this address.", "Use the server's other one."
                )

    # --- answers ---

    def _model_table(self) -> list[Buffer]:
        """What goes with Welcome: all models, however many there are."""
        return [pack_table(self._scheduler.models)]

    def _complain(
        self, socket: Socket, peer: Peer, frames: list[bytes], error: SpadeError, now: float
    ) -> None:
        if peer.may_be_told_of_an_error(now):
            self._send(socket, peer.identity, Failed.of(id_in(frames), error))

    def _reply(
        self, peer: bytes, message: ServerMessage, buffers: Sequence[Buffer] = (), *, droppable: bool = False
    ) -> None:
        self._send(self._front, peer, message, buffers, droppable=droppable)

    def _send(
        self,
        socket: Socket,
        peer: bytes,
        message: ServerMessage,
        buffers: Sequence[Buffer] = (),
        *,
        droppable: bool = False,
    ) -> None:
        self._peers[socket].send(peer, encode(message, buffers), time.monotonic(), droppable=droppable)


def _user_of(frames: list[zmq.Frame]) -> str:
    """Whose key a message came with, as the gate told libzmq."""
    return str(frames[-1].get("User-Id")) if frames else ""


def _description(welcome: Welcome, models: Sequence[ModelInfo]) -> str:
    shown = sorted(f"{each.name} ({each.file})" if each.file else each.name for each in models)
    problems = "".join(f" {problem.message} {problem.fix}".rstrip() for problem in welcome.problems)
    return f"{welcome.state}. Models: {', '.join(shown) or 'none'}.{problems}"
