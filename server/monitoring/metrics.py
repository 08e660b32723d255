# SPDX-License-Identifier: Apache-2.0
"""What Prometheus is told, and load balancers: /metrics, /v2/health/live and /v2/health/ready on loopback.

The broker sets numbers, a thread of its own answers, and neither waits for the other.
"""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Enum,
    Gauge,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.exposition import choose_encoder

from spade_core.contract.errors import UnavailableError
from spade_core.contract.messages import ServerStatus
from spade_core.contract.version import VERSION

from .job_record import FINISHED, JobRecord

STATES = ("warming", "ready", "failed", "released", "draining")
LIVE_S = 5.0
"""A broker that has not turned for so long is not live: a turn takes milliseconds."""
_SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300)
_CONNECTIONS = 16


class Metrics:
    """Numbers of one server. `turned_at`: when the broker last turned, monotonic seconds."""

    def __init__(self, port: int):
        """port: on 127.0.0.1; 0 is any free one, see `address`. Raises UnavailableError where it is taken."""
        self.turned_at = time.monotonic()
        self.is_ready = False
        self.registry = registry = CollectorRegistry()
        by_model: dict[str, Any] = {"labelnames": ("model",), "registry": registry}
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        Info("spade_build", "The release of the server.", registry=registry).info({"version": VERSION})
        self._state = Enum("spade_server_state", "Its state.", registry=registry, states=list(STATES))
        self._jobs = Counter(
            "spade_jobs", "Jobs that have ended.", ("model", "user", "outcome"), registry=registry
        )
        self._refusals = Counter(
            "spade_refusals", "Refusals of jobs that clients send again.", ("code",), registry=registry
        )
        self._cached = Counter("spade_cache_hits", "Jobs answered from the cache.", registry=registry)
        self._bytes = Counter("spade_picture_bytes", "Bytes of the pictures sent.", registry=registry)
        self._wait = Histogram(
            "spade_job_wait_seconds", "From admission to a worker.", buckets=_SECONDS, **by_model
        )
        self._paint = Histogram(
            "spade_job_paint_seconds", "Of painting, with enlarging.", buckets=_SECONDS, **by_model
        )
        self._encode = Histogram(
            "spade_job_encode_seconds", "Of encoding the picture.", buckets=_SECONDS, **by_model
        )
        self._waiting = Gauge("spade_jobs_waiting", "Jobs that wait.", registry=registry)
        self._running = Gauge("spade_jobs_running", "Jobs that run.", registry=registry)
        self._workers = Gauge("spade_workers", "Worker processes.", ("state",), registry=registry)
        self._used = Gauge(
            "spade_device_memory_used_bytes", "Memory in use.", ("device", "worker"), registry=registry
        )
        self._total = Gauge(
            "spade_device_memory_total_bytes", "Memory there is.", ("device", "worker"), registry=registry
        )
        self._devices: set[tuple[str, str]] = set()
        self._http = _Listener(port, self)
        self.address = f"http://127.0.0.1:{self._http.server_address[1]}"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    @property
    def is_live(self) -> bool:
        """Whether the broker still turns."""
        return time.monotonic() - self.turned_at < LIVE_S

    def job_ended(self, record: JobRecord) -> None:
        """Count it."""
        if record.put_off:
            self._refusals.labels(record.outcome).inc()
            return
        model = "" if record.refused else record.model  # a client could make up any number of names
        self._jobs.labels(model, record.user, record.outcome).inc()
        if record.outcome != FINISHED:
            return
        self._bytes.inc(record.bytes)
        if record.cached:
            self._cached.inc()
            return
        for histogram, ms in (
            (self._wait, record.wait_ms),
            (self._paint, record.paint_ms),
            (self._encode, record.encode_ms),
        ):
            histogram.labels(model).observe(ms / 1e3)

    def look(self, status: ServerStatus) -> None:
        """How the server is now."""
        self.is_ready = status.state in ("ready", "released")
        self._state.state(status.state)
        self._waiting.set(status.queued)
        self._running.set(status.running)
        states = [worker.state for worker in status.workers]
        for state in ("loading", "idle", "painting"):
            self._workers.labels(state).set(states.count(state))
        devices = set()
        for number, worker in enumerate(status.workers):
            if worker.device_bytes:
                labels = worker.device, str(number)
                devices.add(labels)
                self._used.labels(*labels).set(worker.memory_bytes)
                self._total.labels(*labels).set(worker.device_bytes)
        for gone in self._devices - devices:
            self._used.remove(*gone)
            self._total.remove(*gone)
        self._devices = devices

    def close(self) -> None:
        """Answer no more."""
        self._http.shutdown()
        self._http.server_close()


class _Listener(ThreadingHTTPServer):
    """Few connections at once, each for a few seconds: others must not use up the broker's descriptors."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int, metrics: Metrics):
        self.metrics = metrics
        self._free = threading.BoundedSemaphore(_CONNECTIONS)
        try:
            super().__init__(("127.0.0.1", port), _Answer)
        except OSError as problem:
            raise UnavailableError(
                f"Port {port} cannot be listened at for metrics: {problem.strerror}.",
                "Choose another with --metrics-port.",
            ) from None

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who hangs up in the middle is no news."""


class _Answer(BaseHTTPRequestHandler):
    timeout = 5  # seconds for a request to come in

    def do_GET(self) -> None:
        assert isinstance(self.server, _Listener)
        metrics = self.server.metrics
        match self.path.partition("?")[0]:
            case "/metrics":
                write, kind = choose_encoder(self.headers.get("Accept", ""))
                self._say(200, write(metrics.registry), kind)
            case "/v2/health/live":
                self._say(200 if metrics.is_live else 503)
            case "/v2/health/ready":
                self._say(200 if metrics.is_live and metrics.is_ready else 503)
            case _:
                self._say(404)

    do_HEAD = do_GET

    def _say(self, code: int, body: bytes = b"", kind: str = "text/plain; charset=utf-8") -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """A scrape every few seconds is no news."""
