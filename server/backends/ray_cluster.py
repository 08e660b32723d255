# SPDX-License-Identifier: Apache-2.0
"""The thread that talks to Ray: deploys replicas, streams what they say of each batch, and looks for newer models."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import zmq

from spade_core.contract.errors import UnavailableError

APPLICATION = "spade-backdrops"
LOOK_S = 1.0
AGAIN_S = 5.0
"""After a deployment that failed."""
HEALTH_S, HEALTH_PATIENCE_S = 2.0, 10.0
QUEUED = 8
"""Batches that wait for a replica which is being replaced, for each place."""


@dataclass(frozen=True)
class Deployment:
    """What every replica is made with: as Replica."""

    models: list[tuple[str, str, bool]]
    device: str
    threads: int
    synthesizer: str
    upscalers: dict[str, str]
    replicas: int

    @property
    def resources(self) -> dict[str, float]:
        """Of a replica. Without a number of threads Ray counts one processor."""
        return {"num_gpus": float(self.device.startswith("cuda")), "num_cpus": float(max(1, self.threads))}


class RayCluster(threading.Thread):
    """`report` is called with functions that take the back end and give its events, which inproc://cluster wakes.

    Every method but `run` is for the broker's thread and returns at once, but for `end`.
    """

    def __init__(
        self,
        address: str,
        deployment: Deployment,
        context: zmq.Context,
        report: Callable[[Callable[[Any], list]], None],
        log: Callable[[str], None],
    ):
        """address: of a cluster, "auto" for the one that this machine belongs to, or "local" to start one here."""
        super().__init__(daemon=True, name="ray")
        self._address, self._deployment, self._log = address, deployment, log
        self._report_to, self._context = report, context
        self._loop = asyncio.new_event_loop()
        self._handle: Any = None
        self._known = ""
        self._batches: dict[int, asyncio.Task[None]] = {}
        self._wanted = True
        """Whether replicas are to run: not while the devices are given back."""

    def paint(
        self, worker: int, tickets: frozenset[int], orders: list[list[bytes]], expected_s: float
    ) -> None:
        self._soon(self._painted(worker, tickets, orders, expected_s))

    def abandon(self, worker: int) -> None:
        self._loop.call_soon_threadsafe(lambda: worker in self._batches and self._batches[worker].cancel())

    def release(self) -> None:
        self._soon(self._delete())

    def deploy(self) -> None:
        self._soon(self._deploy())

    def end(self) -> None:
        """Delete the replicas, and leave the cluster."""
        if self.is_alive():
            with contextlib.suppress(Exception):
                asyncio.run_coroutine_threadsafe(self._delete(), self._loop).result(20)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self.join(20)

    # --- in this thread ---

    def run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._wake = self._context.socket(zmq.PUSH)
        self._wake.connect("inproc://cluster")
        self._soon(self._deploy())
        self._soon(self._look())
        self._loop.run_forever()
        self._wake.close(linger=0)
        import ray

        ray.shutdown()

    def _soon(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop)

    def _report(self, happened: Callable[[Any], list]) -> None:
        self._report_to(happened)
        with contextlib.suppress(zmq.ZMQError):
            self._wake.send(b"", zmq.DONTWAIT)

    async def _deploy(self) -> None:
        """Again and again, until the replicas are there or nobody wants them any more."""
        self._wanted = True
        while self._wanted and self._handle is None:
            try:
                self._handle = await asyncio.to_thread(self._deployed)
                self._known = ""
            except Exception as problem:
                reason = (str(problem).splitlines() or [type(problem).__name__])[0][:200]
                self._log(f"The replicas do not start: {reason}")
                self._report(lambda backend, reason=reason: backend.on_cannot_start(reason))
                await asyncio.sleep(AGAIN_S)

    def _deployed(self) -> Any:
        os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DISABLE_FAILURE_SIGNAL_HANDLER": "1"}
        require_token()  # before Ray is loaded, which reads it then
        import ray
        from ray import serve

        from ..worker.replica import Replica

        if not ray.is_initialized():
            ray.init(
                address=None if self._address == "local" else self._address, namespace=APPLICATION,
                include_dashboard=False, log_to_driver=False, configure_logging=False,
            )  # fmt: skip
        # Requests come through the handle alone: no port for HTTP is opened.
        serve.start(proxy_location="Disabled")
        made = self._deployment
        deployment: Any = serve.deployment(
            Replica, num_replicas=made.replicas, max_ongoing_requests=1, ray_actor_options=made.resources,
            max_queued_requests=QUEUED * made.replicas, graceful_shutdown_timeout_s=1,
            health_check_period_s=HEALTH_S, health_check_timeout_s=HEALTH_PATIENCE_S,
        )  # fmt: skip
        app = deployment.bind(made.models, made.device, made.threads, made.synthesizer, made.upscalers)
        return serve.run(app, name=APPLICATION, route_prefix=None)

    async def _delete(self) -> None:
        self._wanted = False
        for batch in list(self._batches.values()):
            batch.cancel()
        if self._handle is not None:
            self._handle = None
            from ray import serve

            await asyncio.to_thread(serve.delete, APPLICATION)

    async def _look(self) -> None:
        """What the replicas paint with, and what their devices have in use, as long as this thread runs."""
        while True:
            if self._handle is not None:
                with contextlib.suppress(Exception):  # one is being replaced: the next look will find it
                    digest, about = await self._handle.about.remote(self._known)
                    if about:
                        self._known = digest
                        self._report(lambda backend, about=about: backend.on_about(about))
                    memory = await self._handle.memory.remote()
                    self._report(lambda backend, memory=memory: backend.on_memory(memory))
            await asyncio.sleep(LOOK_S)

    async def _painted(
        self, worker: int, tickets: frozenset[int], orders: list[list[bytes]], expected_s: float
    ) -> None:
        from ray.serve.exceptions import BackPressureError

        task = asyncio.current_task()
        assert task is not None
        self._batches[worker] = task
        why = "lost"
        stream: Any = None
        try:
            stream = self._handle.options(stream=True).paint.remote(orders, expected_s)
            async for frames in stream:
                self._report(lambda backend, frames=frames: backend.on_frames(worker, frames))
            why = ""
        except BackPressureError:
            why = "busy"
        except asyncio.CancelledError:
            why = "cancelled"
            if stream is not None:
                stream.cancel()
        except Exception as problem:  # ActorDiedError and its kind: the replica has gone, Ray replaces it
            self._log(f"A replica is replaced: {type(problem).__name__}.")
        finally:
            if self._batches.get(worker) is task:  # the next one may have begun
                del self._batches[worker]
            self._report(lambda backend: backend.on_end(worker, tickets, why))


def require_token() -> None:
    """Ray listens on all interfaces, whatever one asks: who connects must know a token. One that Ray makes itself lies
    in a file that everybody may read; ours is private. What the environment says already is left as it is."""
    if "RAY_AUTH_MODE" in os.environ:
        return
    from spade_core.contract.connection import default_connection_file

    path = default_connection_file().with_name("ray-token")
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(os.urandom(32).hex())
    os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(path)}


def require_ray() -> None:
    """Raises UnavailableError where it is not installed; does not load it, which takes seconds."""
    if importlib.util.find_spec("ray") is None or importlib.util.find_spec("fastapi") is None:
        raise UnavailableError(
            "Ray Serve is not installed.", "Run pip install 'spade-backdrops[cluster]', or leave --ray out."
        )
