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
from spade_core.contract.server_statistics import GetStatistics, Statistics
from spade_core.contract.sockets import address_of, router
from spade_core.contract.submission import Buffer
from spade_core.runtime import return_freed_memory

from .admission import key_of
from .allowance import Allowances
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
_GIVE_BACK_S, _SMALL_CHANGE = 1.0, 16 * 2**20
_MESSAGES_A_TURN, _TURN_S = 64, 0.02  # so that a flood on one socket cannot starve the workers' answers


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
        self._given_back_at = time.monotonic()
        self._announced: tuple[Welcome, tuple[ModelInfo, ...]] | None = None
        self._backend = backend
        self._monitor = monitor
        self._context = zmq.Context()
        try:
            keys, local = store.identity(), store.local()
            self._gate = Gate(self._context, store)
            self._front = Peers(router(self._context, config.bind, keys, b"work"))
            self._control = Peers(router(self._context, "tcp://127.0.0.1:*", keys, CONTROL))
        except (zmq.ZMQError, SpadeError):
            self._context.destroy()
            raise
        self._allowances = Allowances(config.each_user, config.users)
        self._scheduler = Scheduler(
            Limits(max_side=config.max_side),
            self._allowances,
            backend,
            self._reply,
            monitor.job_ended,
            60 * config.unload_after,
            time.monotonic(),
        )
        self.connection = ConnectionInfo(
            address_of(self._front.socket).replace("//0.0.0.0:", "//127.0.0.1:"),
            address_of(self._control.socket),
            os.getpid(),
            server_key=keys.public,
            client_key=local.public,
            client_secret=local.secret,
            user=LOCAL,
        )

    def run(self, stop_requests: Callable[[], int], parent_gone: Callable[[], bool]) -> None:
        """Serve until asked to stop (once: finish first; twice: at once) or until the parent has gone."""
        poller = zmq.Poller()
        for socket in (self._gate.socket, self._backend.socket):
            poller.register(socket, zmq.POLLIN)
        for peers in (self._front, self._control):
            poller.register(peers.socket, zmq.POLLIN)
            poller.register(peers.connections.monitor, zmq.POLLIN)
        while not (self._done() or stop_requests() > 1 or parent_gone()):
            poller.poll(_BACKLOG_TURN_MS if self._backlog else _TURN_MS)
            now = time.monotonic()
            if stop_requests():
                self._drain(now, DRAIN_S)
            self._gate.answer()
            for peers in (self._front, self._control):
                self._serve(peers, now)
            for event in self._backend.events(now):
                self._scheduler.on_event(event, now)
            self._housekeep()

    def close(self) -> None:
        """Leave: what was replied is given a second to get out, the workers end."""
        now = time.monotonic()
        self._scheduler.close(now)
        for peers in (self._front, self._control):
            peers.flush(now)
        self._backend.close()
        self._gate.socket.close()
        for peers in (self._front, self._control):
            peers.close(linger_ms=1000)
        self._context.term()

    # --- turns ---

    @property
    def _backlog(self) -> bool:
        return self._front.backlog or self._control.backlog

    def _done(self) -> bool:
        if self._leave_at is None:
            return False
        return not (self._scheduler.live or self._backlog) or time.monotonic() > self._leave_at

    def _drain(self, now: float, within_s: float) -> None:
        if self._leave_at is None:
            self._leave_at = now + within_s
            self._scheduler.draining = True
            self._log(f"Leaving. Jobs to finish first: {self._scheduler.live}, {within_s:g} s at most.")
            for peer in self._front.greeted():
                self._reply(peer, GoAway(round(within_s * 1000)))

    def _housekeep(self) -> None:
        now = time.monotonic()  # not that of the turn's begin: this process may have been paused in it
        self._scheduler.tick(now)
        self._monitor.turn(self._scheduler.state, self._scheduler.status, now)
        for peers in (self._front, self._control):
            peers.flush(now)
        for gone in self._front.gone:
            self._scheduler.on_peer_gone(gone, now)
        for peers in (self._front, self._control):
            peers.gone.clear()
        if now - self._given_back_at > _GIVE_BACK_S:
            self._given_back_at = now
            return_freed_memory(beyond=_SMALL_CHANGE)
        welcome = self._scheduler.welcome()
        if (welcome, self._scheduler.models) != self._announced:
            self._announced = welcome, self._scheduler.models
            self._log(f"{self.connection.address}: {_description(welcome, self._scheduler.models)}")
            for peer in self._front.greeted():
                self._reply(peer, welcome, self._model_table())

    def _serve(self, peers: Peers, now: float) -> None:
        until = time.monotonic() + _TURN_S
        for _ in range(_MESSAGES_A_TURN):
            received = peers.receive(now)
            if received is None:
                return
            peer, frames = received
            if peer.allowance.may_ask(now):
                self._hear(peers, peer, frames, now)
            if time.monotonic() > until:
                return

    def _hear(self, peers: Peers, peer: Peer, frames: list[memoryview], now: float) -> None:
        """One message of one peer: what is wrong with it is said to that peer, and costs the others nothing."""
        began, wasted = time.thread_time(), True
        try:
            self._refuse_intruder(peers, peer)
            message, buffers = decode_client_message(frames)
            self._answer(peers, peer, message, buffers, now)
            wasted = not isinstance(message, Submit)
        except SpadeError as error:
            wasted = not error.retryable
            self._complain(peers, peer, frames, error, now)
        except Exception as fault:  # a fault of ours in one message must not end the others' jobs
            self._log("".join(traceback.format_exception(fault)))
            error = InternalError("The server failed on this message.", "See the server's console.")
            self._complain(peers, peer, frames, error, now)
        if wasted:
            peer.allowance.waste(time.thread_time() - began)

    def _refuse_intruder(self, peers: Peers, peer: Peer) -> None:
        if not self._gate.lets_in(peer.user):
            raise ForbiddenError(
                f"The key of '{peer.user}' was revoked.", "Ask who runs the server for a new key file."
            )
        self._allowances.refuse_more_connections(peer.user, peers.count_of(peer.user))

    def _answer(
        self, peers: Peers, peer: Peer, message: ClientMessage, buffers: Sequence[Buffer], now: float
    ) -> None:
        """One message; raises SpadeError where the answer is a complaint."""
        match message:
            case Hello():
                peer.greeted, peer.client = True, message.client
                self._send(peers, peer.identity, self._scheduler.welcome(), self._model_table())
            case Ping():
                self._send(peers, peer.identity, self._scheduler.pong(), droppable=True)
            case Status():
                self._send(peers, peer.identity, self._scheduler.status(now))
            case Drain() if peers is self._control:
                within_s = DRAIN_S if message.within_ms is None else max(0, message.within_ms) / 1000
                self._drain(now, within_s)
                left_s = max(0.0, (self._leave_at or now) - now)
                self._send(peers, peer.identity, GoAway(round(left_s * 1000)))
            case GetStatistics() if peers is self._control:
                rows = self._monitor.rows(self._scheduler.jobs)
                self._send(peers, peer.identity, Statistics(WINDOW_S), [pack_table(rows)])
            case Submit() if peers is self._front:
                peer.client = message.client
                self._scheduler.submit(peer.identity, peer.user, message, buffers, now)
            case Cancel() if peers is self._front:
                self._scheduler.cancel(key_of(peer.user, peer.client, message.id), now)
            case GetLabelSet():
                text = self._scheduler.label_set_text(message.digest)
                self._send(peers, peer.identity, LabelSetText(message.id), [text.encode()])
            case GetThumbnails():
                shape, rgb = self._scheduler.thumbnails(message.digest)
                self._send(peers, peer.identity, Thumbnails(message.id, shape), [rgb])
            case ReleaseDevice() if peer.user != LOCAL:
                raise ForbiddenError(
                    "The device of a server that others use is not given back.", "Ask who runs the server."
                )
            case ReleaseDevice():
                self._scheduler.release_device()
                self._send(peers, peer.identity, self._scheduler.status(now))
            case _:
                raise BadKindError(
                    f"{type(message).__name__} is not for this address.", "Use the server's other one."
                )

    # --- answers ---

    def _model_table(self) -> list[Buffer]:
        """What goes with Welcome: all models, however many there are."""
        return [pack_table(self._scheduler.models)]

    def _complain(
        self, peers: Peers, peer: Peer, frames: list[memoryview], error: SpadeError, now: float
    ) -> None:
        if error.retryable or peer.allowance.may_be_told_of_an_error(now):
            self._send(peers, peer.identity, Failed.of(id_in(frames), error))

    def _reply(
        self, peer: bytes, message: ServerMessage, buffers: Sequence[Buffer] = (), *, droppable: bool = False
    ) -> bool:
        return self._send(self._front, peer, message, buffers, droppable=droppable)

    def _send(
        self,
        peers: Peers,
        peer: bytes,
        message: ServerMessage,
        buffers: Sequence[Buffer] = (),
        *,
        droppable: bool = False,
    ) -> bool:
        return peers.send(peer, encode(message, buffers), time.monotonic(), droppable=droppable)


def _description(welcome: Welcome, models: Sequence[ModelInfo]) -> str:
    shown = sorted(f"{each.name} ({each.file})" if each.file else each.name for each in models)
    problems = "".join(f" {problem.message} {problem.fix}".rstrip() for problem in welcome.problems)
    return f"{welcome.state}. Models: {', '.join(shown) or 'none'}.{problems}"
