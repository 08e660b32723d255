# SPDX-License-Identifier: Apache-2.0
"""What is said behind `spade-server`, and in a configuration file, as one configuration."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from spade_core.command_line import parsed_command
from spade_core.contract.limits import LARGEST_SIDE, MAX_SIDE

from .config import ServerConfig
from .config_file import default_files, read_config


def parse(arguments: Sequence[str]) -> ServerConfig:
    """Exits with code 2 where the words are none, or 0 after --help. Raises BadOptionError for what a file says."""
    hidden = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    hidden.add_argument("--synthesizer", default=ServerConfig.synthesizer)  # tyro cannot parse what it hides
    found, rest = hidden.parse_known_args(arguments)
    before = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    before.add_argument("--config", type=Path)
    before.add_argument("--parent-pid", "--parent_pid")
    early, _ = before.parse_known_args(rest)
    file = early.config or (None if early.parent_pid else default_file())
    side = LARGEST_SIDE if early.parent_pid else MAX_SIDE  # one artist's, or many artists'
    default = ServerConfig(max_side=side) if file is None else read_config(file)
    said = parsed_command(ServerConfig, rest, prog="spade-server", default=default)
    return replace(said, config=file, synthesizer=found.synthesizer)


def default_file() -> Path | None:
    """The configuration file that a server takes which is told of none."""
    return next((file for file in default_files() if file.is_file()), None)
