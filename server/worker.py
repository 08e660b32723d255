# SPDX-License-Identifier: Apache-2.0
"""A worker process: loads the models, paints, and reports.

One thread computes, one keeps talking to the broker, and one looks for newer models. Started by backends/local
with its assignment on stdin; leaves when stdin ends, which is when the broker has gone.
"""

from __future__ import annotations

import importlib
import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import zmq

from spade_core.contract.codec import decode, encode
from spade_core.runtime import keep_freed_memory, return_freed_memory

from .backends.messages import TO_WORKER, Abandon, Assignment, Beat, Run
from .painter import Painter
from .run_folder import Place
from .shelf import Shelf, Stock

_BEAT_MS = 500
_PATIENCE_S = 2.0


class Talker(threading.Thread):
    """Owns the socket to the broker. `say` is for the computing thread, `assigned` holds the jobs for it, and
    newer models."""

    def __init__(self, assignment: Assignment):
        super().__init__(daemon=True)
        self.assigned: queue.SimpleQueue[tuple[Run, list[memoryview]] | Stock] = queue.SimpleQueue()
        self.abandoned: set[int] = set()
        self._context = zmq.Context()
        self._outward = self._context.socket(zmq.DEALER)
        self._outward.linger = 0
        self._outward.routing_id = assignment.token.encode()
        self._outward.maxmsgsize = 128 * 2**20
        self._outward.connect(assignment.address)
        self._inward = self._context.socket(zmq.PULL)
        self._inward.bind("inproc://say")
        self._say = self._context.socket(zmq.PUSH)
        self._say.connect("inproc://say")

    def say(self, message: Any, buffers: Any = ()) -> None:
        """Send to the broker; only from the computing thread."""
        self._say.send_multipart(encode(message, buffers), copy=False)

    def run(self) -> None:
        poller = zmq.Poller()
        poller.register(self._outward, zmq.POLLIN)
        poller.register(self._inward, zmq.POLLIN)
        while True:
            ready = dict(poller.poll(_BEAT_MS))
            if not ready:
                self._outward.send_multipart(encode(Beat()))
            if self._inward in ready:
                self._outward.send_multipart(self._inward.recv_multipart(copy=False), copy=False)
            if self._outward in ready:
                order, buffers = decode(self._outward.recv_multipart(), TO_WORKER)
                if isinstance(order, Abandon):
                    self.abandoned.add(order.ticket)
                elif isinstance(order, Run):
                    self.assigned.put((order, buffers))


def main() -> None:
    """Read the assignment, load, paint until the broker has gone."""
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl+C reaches the whole group; the broker decides what it means
    _be_first_to_go()
    keep_freed_memory()
    table = json.loads(sys.stdin.buffer.readline())
    assignment = Assignment(**table | {"models": tuple(Place(**place) for place in table["models"])})
    threading.Thread(target=_leave_with_broker, daemon=True).start()
    talker = Talker(assignment)
    talker.start()
    painter = Painter(talker.abandoned)
    shelf = Shelf(assignment.models, _synthesizer(assignment.synthesizer), assignment.device)
    painter.take(shelf.load(), talker.say)
    threading.Thread(target=shelf.follow, args=(talker.assigned.put,), daemon=True).start()
    while True:
        order = _next(talker.assigned)
        if isinstance(order, Stock):
            painter.take(order, talker.say)
            continue
        run, buffers = order
        painter.paint(run, buffers, talker.say)
        talker.abandoned.discard(run.ticket)


def _next(assigned: queue.SimpleQueue[Any]) -> Any:
    """What to do next. Who waits long gives memory back; at once would hold up the picture that is being sent."""
    try:
        return assigned.get(timeout=_PATIENCE_S)
    except queue.Empty:
        return_freed_memory()
        return assigned.get()


def _be_first_to_go() -> None:
    """Where memory runs out, Linux should end this process, which is replaced, and not the user's Blender."""
    try:
        Path("/proc/self/oom_score_adj").write_text("900")
    except OSError:
        pass  # another system


def _leave_with_broker() -> None:
    sys.stdin.buffer.read()  # returns when the broker's end is closed, however the broker ended
    os._exit(0)


def _synthesizer(path: str) -> Callable[[], Any]:
    """The class named "module:class", imported when called: torch takes seconds, and may be missing."""
    module, _, name = path.partition(":")
    return lambda: getattr(importlib.import_module(module), name)


if __name__ == "__main__":
    main()
