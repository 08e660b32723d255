# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the installed server lies, and what counts as installed.

A folder for each environment, and `installed.json`, which is written last and names the one that counts. Whatever else
is in the folder was left by something that broke, and is swept away.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

from ..contract.connection import process_is_alive
from .worker import RECORD, python_in

_ENVIRONMENT = re.compile(r".+-(?P<pid>\d+)")


@dataclass(frozen=True)
class Installed:
    """The server that was installed. torch, device: what was found when it was tried; device is cpu, cuda or mps."""

    folder: Path
    version: str
    torch: str
    device: str

    @property
    def python(self) -> Path:
        return Path(python_in(str(self.folder)))

    @property
    def command(self) -> tuple[str, ...]:
        """What starts the server."""
        return (str(self.python), "-I", "-m", "spade_server")

    @property
    def works(self) -> bool:
        """False where the Python that it was made with is gone, as after Blender was updated or moved."""
        return self.python.exists()


def installed_in(root: Path) -> Installed | None:
    """The installed server; None where there is none."""
    try:
        said = json.loads((root / RECORD).read_text(encoding="utf-8"))
        found = Installed(root / said["folder"], said["version"], said["torch"], said["device"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if found.folder.is_dir() else None


def left_over(root: Path) -> list[Path]:
    """Environments that do not count and that nobody is making: what a crash or an update left behind."""
    counts = installed_in(root)
    try:
        names = [entry.name for entry in os.scandir(root) if entry.is_dir()]
    except OSError:
        return []
    left = []
    for name in names:
        made_by = _ENVIRONMENT.fullmatch(name)
        if counts is not None and name == counts.folder.name:
            continue
        if made_by and not process_is_alive(int(made_by["pid"])):
            left.append(root / name)
    return sorted(left)
