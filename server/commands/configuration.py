# SPDX-License-Identifier: Apache-2.0
"""The command `spade-server config`: what a server would be told by its file and its options."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ..command_line import parse
from ..config import ServerConfig
from ..config_file import default_files, write_config


def main(arguments: Sequence[str]) -> int:
    """Prints the effective configuration as TOML, or, for --default, a file to begin with. Returns the exit code;
    raises SpadeError."""
    words = list(arguments)
    if words == ["--help"]:
        print(
            "usage: spade-server config [--default | OPTIONS]\n\n"
            "Print the configuration that `spade-server OPTIONS` would have, as a TOML file; with --default, one in\n"
            "which every key is explained and none is set. A server takes --config FILE, else the first of\n"
            + "\n".join(f"  {file}" for file in default_files())
        )
        return 0
    if words == ["--default"]:
        print(write_config(ServerConfig(), commented_out=True), end="")
        return 0
    config = parse(words)
    config.check()
    print(f"From {config.config}." if config.config else "From no file.", file=sys.stderr)
    print(write_config(config, commented_out=False), end="")
    return 0
