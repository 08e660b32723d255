# SPDX-License-Identifier: GPL-3.0-or-later
"""What is installed from: the server's wheel inside the add-on, and a folder of wheels where there is no network."""

from __future__ import annotations

import email
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

from ..contract.errors import UnavailableError

# build.py puts the server in here; an add-on straight from the sources has none
BUNDLED = Path(__file__).resolve().parents[1] / "server_wheel"
CONSTRAINTS = "constraints.txt"
AGAIN = "Install the add-on again, from the zip for this Blender and this system."
_TORCH = re.compile(r"torch-(?P<version>[^-]+)-(?P<python>[^-]+)-[^-]+-[^-]+\.whl")


@dataclass(frozen=True)
class ServerWheel:
    """The server as a wheel. requires_python: as its metadata says it, for example ">=3.11,<3.14"."""

    file: Path
    version: str
    requires_python: str

    @property
    def constraints(self) -> Path:
        """The tested versions of what it needs."""
        return self.file.with_name(CONSTRAINTS)


def bundled_wheel() -> ServerWheel:
    """The wheel that came with the add-on. Raises UnavailableError where there is none or it is damaged."""
    files = sorted(BUNDLED.glob("spade_backdrops-*.whl"))
    if not files:
        raise UnavailableError(
            "This copy of the add-on has no server inside.",
            fix="Install the zip that build.py made, or give a server of your own in the preferences.",
        )
    try:
        with zipfile.ZipFile(files[-1]) as opened:
            names = [name for name in opened.namelist() if name.endswith(".dist-info/METADATA")]
            about = email.message_from_bytes(opened.read(names[0]))
            damaged = opened.testzip()
    except (OSError, zipfile.BadZipFile, IndexError):
        damaged, about = files[-1].name, email.message_from_string("")
    if damaged is not None:
        raise UnavailableError("The server inside this add-on is damaged.", fix=AGAIN)
    return ServerWheel(files[-1], about["Version"] or "", about["Requires-Python"] or "")


def bundled_version() -> str:
    """The version of the server in the add-on, from its file's name alone; "" where there is none."""
    files = sorted(BUNDLED.glob("spade_backdrops-*.whl"))
    return files[-1].name.split("-")[1] if files else ""


def torch_in(folder: Path, python: tuple[int, int]) -> str:
    """The version of the PyTorch for this Python in a folder of wheels.

    Raises UnavailableError, saying what lies there instead.
    """
    tags = {"py3", "py2.py3", "cp{}{}".format(*python)}
    found = [match for file in folder.glob("torch-*.whl") if (match := _TORCH.fullmatch(file.name))]
    fitting = [match["version"] for match in found if match["python"] in tags]
    if fitting:
        return fitting[-1]
    wanted = "PyTorch for Python {}.{}".format(*python)
    if not folder.is_dir():
        raise UnavailableError(
            f"There is no folder '{folder}'.", fix="Choose the folder that holds the wheels."
        )
    others = ", ".join(sorted(match["python"] for match in found))
    there = f" (what lies there is for {others})" if others else ""
    raise UnavailableError(
        f"The folder '{folder.name}' has no {wanted}{there}.",
        fix="Fill it on a computer with a network, as the add-on's documentation shows, for this Blender's Python.",
    )
