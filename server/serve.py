# SPDX-License-Identifier: Apache-2.0
"""`spade-server` itself: puts a server together, runs it, and sees it off."""

from __future__ import annotations

import sys

import zmq

from spade_core.checkpoint.sources import model_sources
from spade_core.contract.errors import SpadeError, UnavailableError
from spade_core.runtime import keep_small_change_only
from spade_core.upscaling.names import named_files

from .backends.base import Backend
from .backends.local import LocalBackend
from .broker import Broker
from .command_line import parse
from .config import ServerConfig
from .console import make_patient
from .keys import KeyStore
from .lifecycle import ParentWatch, StopSignals, announced
from .monitoring.log import ServerLog
from .monitoring.monitor import Monitor
from .monitoring.service_manager import ServiceManager
from .security import refuse_open_address


def main(words: list[str]) -> int:
    """Returns the exit code. Raises SpadeError where the server cannot be started like this."""
    config = parse(words)
    plain = sys.stderr, sys.stdout
    console = make_patient()
    try:
        serve(config)
    finally:
        console.drain(1.0)
        sys.stderr, sys.stdout = plain
    return 0


def serve(config: ServerConfig) -> None:
    """Raises SpadeError where the server cannot be started like this."""
    config.check()
    keep_small_change_only()
    store = KeyStore()
    refuse_open_address(config.bind, store)
    log = ServerLog(config.log_format)
    service = ServiceManager()
    monitor = _monitor(config, log, service)
    backend = _backend(config, log)
    signals = StopSignals()
    parent = ParentWatch(config.parent_pid)
    try:
        broker = Broker(config, backend, store, monitor, log.say)
    except SpadeError:
        backend.close()
        raise
    except zmq.ZMQError as problem:
        backend.close()
        raise UnavailableError(
            f"'{config.bind}' cannot be listened at: {problem}.", "Choose another port."
        ) from None
    try:
        with announced(config.connection_file, broker.connection):
            if config.config is not None:
                log.say(f"Configured by {config.config}.")
            log.say(f"Listening at {broker.connection.address}. Ctrl+C stops.")
            broker.run(lambda: signals.count, parent.gone)
    finally:
        broker.close()
        monitor.close()
    log.say("Stopped: its parent has gone." if parent.gone() else "Stopped.")


def _backend(config: ServerConfig, log: ServerLog) -> Backend:
    models, upscalers = model_sources(config.models), named_files(config.upscalers)
    if config.ray is None:
        return LocalBackend(config, models, upscalers, log.say)
    from .backends.ray_serve import RayServeBackend  # here: Ray is an extra

    return RayServeBackend(config, models, upscalers, log.say)


def _monitor(config: ServerConfig, log: ServerLog, service: ServiceManager) -> Monitor:
    if config.metrics_port is None:
        return Monitor(log, None, service)
    from .monitoring.metrics import Metrics  # here: most servers are not scraped, and start without it

    metrics = Metrics(config.metrics_port)
    log.say(f"Metrics at {metrics.address}/metrics, health at {metrics.address}/v2/health/ready.")
    return Monitor(log, metrics, service)
