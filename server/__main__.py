# SPDX-License-Identifier: Apache-2.0
"""The command `spade-server`. Exit codes: 0 it left as it was asked to, 2 it was started wrongly."""

from __future__ import annotations

import sys

import tyro
import zmq

from spade_core.contract.errors import SpadeError, Unavailable

from .broker import Broker
from .config import ServerConfig, refuse_open_address
from .lifecycle import ParentWatch, StopSignals, announced
from .run_folder import places_of


def main(arguments: list[str] | None = None) -> int:
    """Serve until asked to stop."""
    config = tyro.cli(ServerConfig, prog="spade-server", args=arguments)
    try:
        serve(config)
    except SpadeError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def serve(config: ServerConfig) -> None:
    """Raises SpadeError where the server cannot be started like this."""
    refuse_open_address(config.bind)
    places = places_of(config.models)
    signals = StopSignals()
    parent = ParentWatch(config.parent_pid)
    try:
        broker = Broker(config, places, _say)
    except zmq.ZMQError as problem:
        raise Unavailable(
            f"'{config.bind}' cannot be listened at: {problem}.", "Choose another port."
        ) from None
    try:
        with announced(config.connection_file, broker.connection):
            _say(f"Listening at {broker.connection.address}. Ctrl+C stops.")
            broker.run(lambda: signals.count, parent.gone)
    finally:
        broker.close()
    _say("Stopped.")


def _say(sentence: str) -> None:
    try:
        print(sentence, file=sys.stderr, flush=True)
    except OSError:
        pass  # whoever read the console has gone; that is no reason to stop


if __name__ == "__main__":
    sys.exit(main())
