# SPDX-License-Identifier: Apache-2.0
"""The broker: one thread that polls all sockets, answers clients and feeds the workers.

It never blocks, holds no weights and imports no torch, so a ping is answered while the device is busy.
"""

from __future__ import annotations

import os
import time
import traceback
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import zmq

from spade_core.contract.codec import decode_request, encode, id_in
from spade_core.contract.connection import Connection
from spade_core.contract.errors import BadKind, Busy, Internal, LabelSetMismatch, SpadeError
from spade_core.contract.messages import (
    Cancel,
    Drain,
    Failed,
    GetLabelSet,
    GoAway,
    Hello,
    LabelSetText,
    Limits,
    Ping,
    Pong,
    ReleaseDevice,
    Request,
    ServerStatus,
    Status,
    Submit,
    Welcome,
)
from spade_core.contract.version import PROTOCOL_MINOR, VERSION

from .backends.local import LocalBackend
from .config import ServerConfig
from .desk import Desk
from .peers import Peers
from .queue import State
from .run_folder import Place

DRAIN_S = 30.0
_TURN_MS, _BACKLOG_TURN_MS = 50, 5
_MESSAGES_A_TURN = 64  # so that a flood on one socket cannot starve the workers' answers
_ENCODINGS = ("raw", "zlib", "png", "jpeg", "webp")


class Broker:
    """`say` is told, in a sentence, what an operator should know."""

    def __init__(self, config: ServerConfig, models: Sequence[Place], say: Callable[[str], None]):
        self._say = say
        self._epoch = uuid.uuid4().hex
        self._began = time.monotonic()
        self._leave_at: float | None = None
        self._announced: Welcome | None = None
        self._context = zmq.Context()
        self._front = _bound(self._context, config.bind)
        self._control = _bound(self._context, "tcp://127.0.0.1:*")
        self._backend = LocalBackend(config, models, self._context, say)
        self._peers = {socket: Peers(socket) for socket in (self._front, self._control)}
        self._desk = Desk(Limits(max_side=config.max_side), self._backend, self._reply)
        self.connection = Connection(_address(self._front), _address(self._control), os.getpid())

    def run(self, stop_requests: Callable[[], int], parent_gone: Callable[[], bool]) -> None:
        """Serve until asked to stop (once: finish first; twice: at once) or until the parent has gone."""
        poller = zmq.Poller()
        for socket in (self._front, self._control, self._backend.socket):
            poller.register(socket, zmq.POLLIN)
        while not (self._done() or stop_requests() > 1 or parent_gone()):
            backlog = any(peers.backlog for peers in self._peers.values())
            readable = dict(poller.poll(_BACKLOG_TURN_MS if backlog else _TURN_MS))
            now = time.monotonic()
            if stop_requests():
                self._drain(now)
            for socket in self._peers:
                if socket in readable:
                    self._serve(socket, now)
            for event in self._backend.events(now):
                self._desk.happened(event, now)
            self._housekeep(now)

    def close(self) -> None:
        """Leave: what was replied is given a second to get out, the workers end."""
        now = time.monotonic()
        self._desk.give_up(now)
        for peers in self._peers.values():
            peers.flush(now)
        self._backend.close()
        for socket in self._peers:
            socket.close(linger=1000)
        self._context.term()

    # --- turns ---

    def _done(self) -> bool:
        if self._leave_at is None:
            return False
        waiting = len(self._desk.queue) or any(peers.backlog for peers in self._peers.values())
        return not waiting or time.monotonic() > self._leave_at

    def _drain(self, now: float) -> None:
        if self._leave_at is None:
            self._leave_at = now + DRAIN_S
            self._desk.draining = True
            self._say(f"Leaving. Jobs to finish first: {len(self._desk.queue)}, {DRAIN_S:g} s at most.")
            for peer in self._peers[self._front].greeted():
                self._reply(peer, GoAway(round(DRAIN_S * 1000)))

    def _housekeep(self, now: float) -> None:
        self._desk.tick(now)
        for peers in self._peers.values():
            peers.flush(now)
        for gone in self._peers[self._front].gone:
            self._desk.peer_gone(gone, now)
        for peers in self._peers.values():
            peers.gone.clear()
        welcome = self._welcome()
        if welcome != self._announced:
            self._announced = welcome
            self._say(self._described(welcome))
            for peer in self._peers[self._front].greeted():
                self._reply(peer, welcome)

    def _serve(self, socket: zmq.Socket[bytes], now: float) -> None:
        for _ in range(_MESSAGES_A_TURN):
            try:
                peer, *frames = socket.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return
            self._peers[socket].heard(peer, now)
            try:
                request, buffers = decode_request(frames)
                self._answer(socket, peer, request, buffers, now)
            except SpadeError as error:
                self._complain(socket, peer, frames, error, now)
            except Exception as fault:  # a fault of ours in one message must not end the others' jobs
                self._say("".join(traceback.format_exception(fault)))
                error = Internal("The server failed on this message.", "See the server's console.")
                self._complain(socket, peer, frames, error, now)

    def _answer(
        self,
        socket: zmq.Socket[bytes],
        peer: bytes,
        request: Request,
        buffers: Sequence[memoryview],
        now: float,
    ) -> None:
        """One request; raises SpadeError where the answer is a complaint."""
        known = self._peers[socket].heard(peer, now)
        match request:
            case Hello():
                known.greeted, known.client = True, request.client
                self._send(socket, peer, self._welcome())
            case Ping():
                self._send(socket, peer, Pong(len(self._desk.queue), self._epoch), droppable=True)
            case Status():
                self._send(socket, peer, self._status())
            case Drain() if socket is self._control:
                self._drain(now)
                self._send(socket, peer, GoAway(round(DRAIN_S * 1000)))
            case Submit() if socket is self._front:
                known.client = request.client
                self._desk.submit(peer, request, buffers, now)
            case Cancel() if socket is self._front:
                self._desk.cancel((known.client, request.id), now)
            case GetLabelSet():
                text = self._label_set(request.digest)
                self._send(socket, peer, LabelSetText(request.id), [text.encode()])
            case ReleaseDevice():
                self._release()
                self._send(socket, peer, self._status())
            case _:
                raise BadKind(
                    f"{type(request).__name__} is not for this address.", "Use the server's other one."
                )

    # --- answers ---

    def _complain(
        self, socket: zmq.Socket[bytes], peer: bytes, frames: list[bytes], error: SpadeError, now: float
    ) -> None:
        if self._peers[socket].may_complain(peer, now):
            self._send(socket, peer, Failed.of(id_in(frames), error))

    def _reply(
        self, peer: bytes, message: Any, buffers: Sequence[Any] = (), *, droppable: bool = False
    ) -> None:
        self._send(self._front, peer, message, buffers, droppable=droppable)

    def _send(
        self,
        socket: zmq.Socket[bytes],
        peer: bytes,
        message: Any,
        buffers: Sequence[Any] = (),
        *,
        droppable: bool = False,
    ) -> None:
        self._peers[socket].send(peer, encode(message, buffers), time.monotonic(), droppable=droppable)

    def _state(self) -> str:
        if self._desk.draining:
            return "draining"
        if not self._desk.loaded:
            return "warming"
        if "" in self._desk.problems or not self._desk.models:
            return "failed"
        return "released" if self._backend.released else "ready"

    def _described(self, welcome: Welcome) -> str:
        shown = sorted(f"{each.name} ({each.file})" if each.file else each.name for each in welcome.models)
        models = ", ".join(shown) or "none"
        return f"{self.connection.address}: {welcome.state}. Models: {models}. {welcome.problem}".strip()

    def _problem(self) -> str:
        return " ".join(map(str, self._desk.problems.values()))[:2000]

    def _welcome(self) -> Welcome:
        return Welcome(
            minor=PROTOCOL_MINOR,
            epoch=self._epoch,
            limits=self._desk.limits,
            models=tuple(model.info for model in self._desk.models.values()),
            encodings=_ENCODINGS,
            state=self._state(),
            problem=self._problem(),
            software=f"spade-server {VERSION}",
        )

    def _status(self) -> ServerStatus:
        queue = self._desk.queue
        return ServerStatus(
            state=self._state(),
            epoch=self._epoch,
            queued=queue.count(State.QUEUED),
            running=queue.count(State.RUNNING),
            finished=self._desk.finished,
            failed=self._desk.failed,
            uptime_s=round(time.monotonic() - self._began, 3),
            pids=(os.getpid(), *self._backend.pids),
            problem=self._problem(),
        )

    def _label_set(self, digest: str) -> str:
        for model in self._desk.models.values():
            if model.info.label_set_digest == digest:
                return model.label_set.to_toml()
        raise LabelSetMismatch(
            "No model of this server uses that label set.", "Ask for one that Welcome names."
        )

    def _release(self) -> None:
        if len(self._desk.queue):
            raise Busy("The server is painting.", "Wait for it, or cancel the jobs.", retry_after_ms=1000)
        if self._desk.loaded:
            self._backend.release()


def _bound(context: zmq.Context, address: str) -> zmq.Socket[bytes]:
    socket = context.socket(zmq.ROUTER)
    socket.linger = 0
    socket.router_mandatory = 1
    socket.maxmsgsize = 64 * 2**20
    socket.sndhwm, socket.rcvhwm = 8, 32
    socket.handshake_ivl = 3000
    socket.reconnect_ivl_max = 2000
    socket.heartbeat_ivl, socket.heartbeat_timeout, socket.heartbeat_ttl = 1000, 3000, 4000
    socket.bind(address)
    return socket


def _address(socket: zmq.Socket[bytes]) -> str:
    return str(socket.getsockopt_string(zmq.LAST_ENDPOINT))
