# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding the local server: the program that starts one, and one that runs already."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

from ..contract.connection import process_is_alive, read_connection_file
from ..contract.errors import NotInstalledError, SpadeError, UnavailableError


def find_command(preference: str) -> tuple[str, ...]:
    """The command that starts a server.

    preference: what the user wrote: nothing (look for `spade-server`), a program with or without arguments,
    the Python of an environment that has the server (then `-P -m spade_server` is added: nothing of the current folder
    is run), or that environment's folder. Raises UnavailableError, with the remedy, when there is no such program.
    """
    text = preference.strip()
    if not text:
        return (_find_installed(),)
    # A path with blanks in it is one program, not a command line.
    words = [text] if Path(text).expanduser().exists() else _split(text)
    program = Path(words[0]).expanduser()
    if program.is_dir():
        scripts = program / ("Scripts" if os.name == "nt" else "bin")
        found = shutil.which("spade-server", path=os.pathsep.join((str(scripts), str(program))))
    else:
        found = shutil.which(str(program))
    if found is None:
        is_empty = f"The folder '{words[0]}' is no environment that has the server."
        raise UnavailableError(
            is_empty if program.is_dir() else f"The server command '{words[0]}' does not exist.",
            fix="Correct 'Server Command' in the add-on preferences, or empty it to look for spade-server.",
        )
    if Path(found).stem.lower().startswith("python") and len(words) == 1:
        return (found, "-P", "-m", "spade_server")
    return (found, *words[1:])


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text, posix=os.name != "nt")
    except ValueError as problem:
        raise UnavailableError(
            f"The server command cannot be read: {problem}.",
            fix="Close its quotes in the add-on preferences.",
        ) from None


def is_on_path() -> bool:
    """Whether `spade-server` is found without being told where."""
    return _look_for_it() is not None


def _find_installed() -> str:
    found = _look_for_it()
    if found is None:
        raise NotInstalledError(
            "The picture server is not installed yet.",
            fix="Press Install Server, or give yours as Server Command in the preferences.",
        )
    return found


def _look_for_it() -> str | None:
    # Blender started from a desktop icon does not see a shell's PATH: also look where pip and pipx put programs.
    home = Path.home()
    usual = (
        home / ".local/bin",
        home / "AppData/Roaming/Python/Scripts",
        "/opt/homebrew/bin",
        "/usr/local/bin",
    )
    path = os.pathsep.join((os.environ.get("PATH", ""), *map(str, usual)))
    return shutil.which("spade-server", path=path)


def running_server(connection_file: Path) -> bool:
    """Whether the server that wrote this connection file is alive on this computer."""
    try:
        return process_is_alive(read_connection_file(connection_file).pid)
    except SpadeError:
        return False
