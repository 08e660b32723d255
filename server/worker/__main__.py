# SPDX-License-Identifier: Apache-2.0
"""A worker process: loads the models, paints, and reports.

One thread computes, one keeps the connection to the broker, and one looks for newer models. Started by
backends/local with its assignment on stdin; leaves when stdin ends, which is when the broker has gone.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import zmq

from spade_core.checkpoint.sources import CheckpointVersion, ModelSource
from spade_core.contract.codec import decode, encode
from spade_core.contract.sockets import worker_dealer
from spade_core.contract.submission import Buffer
from spade_core.runtime import device_memory, keep_freed_memory, return_freed_memory

from ..backends.wire import TO_WORKER, Abandon, Assignment, Heartbeat, Render
from ..console import make_patient
from ..monitoring.log import JSON, MessageLines
from .loaded import LoadedModels
from .models import ModelStore
from .orders import Orders
from .renderer import Renderer

_HEARTBEAT_S = 0.5
_PR_SET_PDEATHSIG = 1


class BrokerConnection(threading.Thread):
    """Owns the socket to the broker. `send` is for the computing thread, `orders` holds its jobs, and newer models;
    `abandoned` the tickets that nobody wants any more. Another thread gets a sender of its own."""

    def __init__(self, assignment: Assignment):
        super().__init__(daemon=True)
        self.orders = Orders()
        self.abandoned: set[int] = set()
        self.device = ""  # once the models are there: only then can it be asked for its memory
        self._context = zmq.Context()
        self._broker = worker_dealer(
            self._context, assignment.address, assignment.token.encode(), assignment.broker_key
        )
        self._outbox = self._context.socket(zmq.PULL)
        self._outbox.bind("inproc://outbox")
        self.send = self.sender()

    def sender(self) -> Callable[..., None]:
        """A function that sends a message, and buffers with it, to the broker; for one thread."""
        socket = self._context.socket(zmq.PUSH)
        socket.connect("inproc://outbox")

        def send(message: Any, buffers: Sequence[Buffer] = ()) -> None:
            socket.send_multipart(encode(message, buffers), copy=False)

        return send

    def run(self) -> None:
        poller = zmq.Poller()
        poller.register(self._broker, zmq.POLLIN)
        poller.register(self._outbox, zmq.POLLIN)
        heartbeat_at, device = 0.0, ""
        while True:
            ready = dict(poller.poll(round(_HEARTBEAT_S * 1000)))
            # Before the broker is told that the models are there, it is to know on which device.
            if not ready or time.monotonic() >= heartbeat_at or device != self.device:
                heartbeat_at, device = time.monotonic() + _HEARTBEAT_S, self.device
                self._broker.send_multipart(encode(Heartbeat(*device_memory(device))))
            if self._outbox in ready:
                self._broker.send_multipart(self._outbox.recv_multipart(copy=False), copy=False)
            if self._broker in ready:
                frames = self._broker.recv_multipart(copy=False)
                order, buffers = decode([frame.buffer for frame in frames], TO_WORKER)
                if isinstance(order, Abandon):
                    self.abandoned.add(order.ticket)
                elif isinstance(order, Render):
                    self.orders.put((order, buffers))


def main() -> None:
    """Read the assignment, load, paint until the broker has gone."""
    # Ctrl+C reaches the whole group; the broker decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    make_patient()
    _be_first_to_go()
    _die_with_broker()
    keep_freed_memory()
    table = json.loads(sys.stdin.buffer.readline())
    models = tuple(ModelSource(**source) for source in table["models"])
    set_aside = tuple(
        CheckpointVersion(each["path"], tuple(each["times_and_size"])) for each in table["set_aside"]
    )
    assignment = Assignment(**table | {"models": models, "set_aside": set_aside})
    if assignment.log_format == JSON:
        sys.stderr = sys.stdout = MessageLines(sys.stderr)
    threading.Thread(target=_leave_with_broker, daemon=True).start()
    broker = BrokerConnection(assignment)
    broker.start()
    renderer = Renderer(broker.send, broker.abandoned, broker.orders.waiting)
    store = ModelStore(
        assignment.models,
        synthesizer_class(assignment.synthesizer),
        assignment.device,
        assignment.upscalers,
        assignment.set_aside,
    )
    loaded = store.load(broker.send)
    broker.device = assignment.device
    renderer.use(loaded)
    threading.Thread(target=store.follow, args=(broker.orders.put, broker.sender()), daemon=True).start()
    while True:
        # Who waits long gives memory back; at once would hold up the picture that is being sent.
        order = broker.orders.next(return_freed_memory)
        if isinstance(order, LoadedModels):
            renderer.use(order)
        else:
            renderer.render(order)


def _be_first_to_go() -> None:
    """Where memory runs out, Linux should end this process, which is replaced, and not the user's Blender."""
    try:
        Path("/proc/self/oom_score_adj").write_text("900")
    except OSError:
        pass  # another system


def _die_with_broker() -> None:
    """One that is stopped reads no end of its stdin: Linux ends it all the same when its broker has died."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _leave_with_broker() -> None:
    sys.stdin.buffer.read()  # returns when the broker's end is closed, however the broker ended
    os._exit(0)


def synthesizer_class(path: str) -> Callable[[], Any]:
    """The class named "module:class", imported when called: torch takes seconds, and may be missing."""
    module, _, name = path.partition(":")
    return lambda: getattr(importlib.import_module(module), name)


if __name__ == "__main__":
    main()
