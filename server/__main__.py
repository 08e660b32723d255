# SPDX-License-Identifier: Apache-2.0
"""The command `spade-server`. Exit codes: 0 it left as it was asked to, 2 it was started wrongly; `status` has more."""

from __future__ import annotations

import sys
from importlib import import_module

from spade_core.contract.console import print_error
from spade_core.contract.errors import SpadeError
from spade_core.contract.version import VERSION

COMMANDS = {"keys": "keys", "status": "status", "top": "top", "drain": "drain", "config": "configuration"}
"""Modules of .commands by their first word; each is imported when it is wanted, so that a health check is quick."""


def main(arguments: list[str] | None = None) -> int:
    """Serve until asked to stop, or do what another first word says."""
    words = sys.argv[1:] if arguments is None else arguments
    if words == ["--version"]:
        print(f"spade-server {VERSION}")
        return 0
    try:
        if words and words[0] in COMMANDS:
            return import_module(f".commands.{COMMANDS[words[0]]}", __package__).main(words[1:])
        return import_module(".serve", __package__).main(words)
    except SpadeError as error:
        print_error(error.message, error.fix)
        return 2


if __name__ == "__main__":
    sys.exit(main())
