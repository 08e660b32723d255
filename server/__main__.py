# SPDX-License-Identifier: Apache-2.0
"""The command `spade-server`. Exit codes: 0 it left as it was asked to, 2 it was started wrongly."""

from __future__ import annotations

import sys

import zmq

from spade_core.checkpoint.sources import model_sources
from spade_core.contract.console import print_error
from spade_core.contract.errors import SpadeError, UnavailableError
from spade_core.contract.version import VERSION
from spade_core.runtime import return_large_blocks_at_once
from spade_core.upscaling.names import named_files

from . import keys_command
from .backends.local import LocalBackend
from .broker import Broker
from .config import ServerConfig, parse
from .console import make_patient
from .keys import KeyStore
from .lifecycle import ParentWatch, StopSignals, announced
from .security import refuse_open_address


def main(arguments: list[str] | None = None) -> int:
    """Serve until asked to stop, or do what another first word says."""
    words = sys.argv[1:] if arguments is None else arguments
    if words == ["--version"]:
        print(f"spade-server {VERSION}")
        return 0
    try:
        if words[:1] == ["keys"]:
            keys_command.main(words[1:])
        else:
            _serve_patiently(parse(words))
    except SpadeError as error:
        print_error(error.message, error.fix)
        return 2
    return 0


def _serve_patiently(config: ServerConfig) -> None:
    plain = sys.stderr, sys.stdout
    console = make_patient()
    try:
        serve(config)
    finally:
        console.drain(1.0)
        sys.stderr, sys.stdout = plain


def serve(config: ServerConfig) -> None:
    """Raises SpadeError where the server cannot be started like this."""
    config.check()
    return_large_blocks_at_once()
    store = KeyStore()
    refuse_open_address(config.bind, store)
    backend = LocalBackend(config, model_sources(config.models), named_files(config.upscalers), _log)
    signals = StopSignals()
    parent = ParentWatch(config.parent_pid)
    try:
        broker = Broker(config, backend, store, _log)
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
            _log(f"Listening at {broker.connection.address}. Ctrl+C stops.")
            broker.run(lambda: signals.count, parent.gone)
    finally:
        broker.close()
    _log("Stopped: its parent has gone." if parent.gone() else "Stopped.")


def _log(sentence: str) -> None:
    print(sentence, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
