# SPDX-License-Identifier: Apache-2.0
"""A worker in a Ray Serve replica: the same renderer and model store as in a worker process, without sockets.

What comes and goes are frames of our own codec, as bytes: nothing else that a client sent is ever pickled.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from spade_core.checkpoint.sources import ModelSource
from spade_core.contract.codec import decode, encode
from spade_core.contract.submission import Buffer
from spade_core.runtime import device_memory, keep_freed_memory, share_cores

from ..backends.wire import TO_WORKER, Heartbeat
from .__main__ import synthesizer_class
from .loaded import LoadedModels
from .models import ModelStore
from .renderer import Renderer

Frames = list[bytes]
PATIENCE_S = 30.0
"""Without a word of a job, beyond what it is expected to take: then the replica counts as hung."""


class Replica:
    """Loads the models when it is made; paints one batch at a time."""

    def __init__(
        self, models: Sequence[tuple[str, str, bool]], device: str, threads: int, synthesizer: str,
        upscalers: dict[str, str],
    ) -> None:  # fmt: skip
        """models: name, path and whether it is a run; all paths are as this machine sees them."""
        if threads:
            os.environ["OMP_NUM_THREADS"] = str(threads)
        share_cores()
        keep_freed_memory()
        self._device = device
        self._abandoned: set[int] = set()
        self._one_batch = asyncio.Lock()
        self._heard_by: asyncio.Queue[Frames | None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._about: list[Frames] = []
        self._hung_at = float("inf")
        self._expected_s = 0.0
        self._renderer = Renderer(self._said, self._abandoned)
        sources = [ModelSource(*each) for each in models]
        store = ModelStore(sources, synthesizer_class(synthesizer), device, upscalers)
        # One thread computes: models are handed over between two jobs.
        self._painter = ThreadPoolExecutor(1)
        self._use(store.load(lambda _: None))
        hand_over = lambda newer: self._painter.submit(self._use, newer)  # noqa: E731
        threading.Thread(target=store.follow, args=(hand_over, lambda _: None), daemon=True).start()

    def _use(self, models: LoadedModels) -> None:
        self._about = []
        self._renderer.use(models)

    def _said(self, message: Any, buffers: Sequence[Buffer] = ()) -> None:
        """The renderer's `send`: of a job to who waits for it, else what is to be known of the models."""
        frames = [bytes(frame) for frame in encode(message, buffers)]
        self._hung_at = time.monotonic() + self._expected_s + PATIENCE_S
        if self._heard_by is None or self._loop is None:
            self._about.append(frames)
        else:
            self._loop.call_soon_threadsafe(self._heard_by.put_nowait, frames)

    async def about(self, known: str) -> tuple[str, list[Frames]]:
        """A digest of what it paints with, and the messages that say so, where that is not what is `known`."""
        about = list(self._about)
        digest = hashlib.sha256(b"".join(b"".join(frames) for frames in about)).hexdigest()
        return digest, [] if digest == known else about

    async def memory(self) -> Frames:
        """A Heartbeat with what its device has in use."""
        return [bytes(frame) for frame in encode(Heartbeat(*device_memory(self._device)))]

    async def paint(self, orders: list[Frames], expected_s: float) -> AsyncIterator[Frames]:
        """orders: each a Render; together one batch. Gives the frames of their progress, paintings and pictures, or of
        why there are none.

        Who stops listening has them abandoned: the device is free within a second.
        """
        async with self._one_batch:  # one that was given up may still be stopping
            async for said in self._painted(orders, expected_s):
                yield said

    async def _painted(self, orders: list[Frames], expected_s: float) -> AsyncIterator[Frames]:
        batch = [decode(frames, TO_WORKER) for frames in orders]
        tickets = {order.ticket for order, _ in batch}
        heard: asyncio.Queue[Frames | None] = asyncio.Queue()
        self._loop, self._heard_by, self._expected_s = asyncio.get_running_loop(), heard, expected_s
        self._hung_at = time.monotonic() + expected_s + PATIENCE_S
        work = self._loop.run_in_executor(self._painter, self._renderer.render, batch)
        work.add_done_callback(lambda _: heard.put_nowait(None))
        try:
            while (said := await heard.get()) is not None:
                yield said
        finally:
            self._abandoned |= tickets
            await asyncio.shield(work)
            self._abandoned -= tickets
            self._heard_by, self._hung_at = None, float("inf")

    def check_health(self) -> None:
        """Ray Serve asks now and then, and replaces who raises."""
        if time.monotonic() > self._hung_at:
            raise RuntimeError("the job makes no progress")
