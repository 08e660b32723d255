# SPDX-License-Identifier: Apache-2.0
"""The command `spade-server keys`: who may come in from other machines."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import tyro

from spade_core.contract.connection import ConnectionInfo, write_connection_file
from spade_core.contract.errors import CannotWriteError
from spade_core.contract.keys import KeyPair

from ..keys import KeyStore

Name = tyro.conf.Positional[str]


@dataclass(frozen=True)
class New:
    """Make a key for somebody, and the file that lets them in: give it to nobody else."""

    name: Name
    """of the user: small letters, digits, dots and dashes"""
    address: str
    """where they reach this server: tcp://studio-box:5555"""
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None
    """the key file, or - to print it; NAME.key where nothing is said"""

    def run(self) -> None:
        store, pair, file = KeyStore(), KeyPair.new(), self.output or Path(f"{self.name}.key")
        store.allow(self.name, pair.public)
        key_file = ConnectionInfo(
            self.address,
            control_address="",
            pid=0,
            server_key=store.identity().public,
            client_key=pair.public,
            client_secret=pair.secret,
            user=self.name,
        )
        if file == Path("-"):
            print(json.dumps(asdict(key_file), indent=2))
            return
        try:
            write_connection_file(file, key_file)
        except OSError as problem:
            store.revoke(self.name)
            raise CannotWriteError(
                f"The key file '{file}' cannot be written: {problem.strerror}.", "Name another with -o."
            ) from None
        print(
            f"{file}: lets '{self.name}' in at {self.address}. Its copy is in nobody else's hands but theirs."
        )


@dataclass(frozen=True)
class Allow:
    """Let somebody in by a public key that they made themselves."""

    name: Name
    """of the user"""
    public: tyro.conf.Positional[str]
    """their public key, 40 letters"""

    def run(self) -> None:
        KeyStore().allow(self.name, self.public)
        print(f"'{self.name}' is let in. The server's own public key: {KeyStore().identity().public}")


@dataclass(frozen=True)
class List:
    """Show who is let in."""

    def run(self) -> None:
        for name, public in KeyStore().users().items():
            print(f"{public}  {name}")


@dataclass(frozen=True)
class Revoke:
    """Let somebody in no longer, at once, also where the server runs."""

    name: Name
    """of the user"""

    def run(self) -> None:
        KeyStore().revoke(self.name)
        print(f"'{self.name}' is no longer let in.")


def main(arguments: Sequence[str]) -> int:
    """Returns the exit code. Raises SpadeError."""
    command = tyro.extras.subcommand_cli_from_dict(
        {"new": New, "allow": Allow, "list": List, "revoke": Revoke},
        prog="spade-server keys",
        description=__doc__,
        args=list(arguments),
    )
    os.umask(0o077)
    command.run()
    return 0
