# SPDX-License-Identifier: GPL-3.0-or-later
"""Wheels that pip installs in a moment: a server that does nothing, and a torch that computes nothing.

Everything around them is real: Blender's Python, venv, pip, the worker process. The slow test installs the real ones.
"""

from __future__ import annotations

import base64
import hashlib
import zipfile
from pathlib import Path

TORCH = (
    "import types\n__version__ = {version!r}\ncuda = types.SimpleNamespace(is_available=lambda: False)\n"
    "backends = types.SimpleNamespace(mps=cuda)\n"
)
SERVER = "import sys\nif __name__ == '__main__':\n    print('no server', sys.prefix)\n"


def wheel(folder: Path, name: str, version: str, files: dict[str, str], *about: str) -> Path:
    """Write one wheel; `about`: more lines of its metadata."""
    info = f"{name}-{version}.dist-info"
    texts = {
        **files,
        f"{info}/METADATA": "\n".join(
            ("Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *about)
        )
        + "\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [f"{path},sha256={_digest(text)},{len(text.encode())}" for path, text in texts.items()]
    texts[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,"]) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as packed:
        for path, text in texts.items():
            packed.writestr(path, text)
    return file


def server_wheel(folder: Path, version: str = "0.1.0", *about: str, program: str = SERVER) -> Path:
    """A server that needs torch."""
    files = {
        "spade_core/__init__.py": "",
        "spade_server/__init__.py": "",
        "spade_server/__main__.py": program,
    }
    return wheel(folder, "spade_backdrops", version, files, "Requires-Dist: torch>=2", *about)


def torch_wheel(folder: Path, version: str = "2.13.0+cpu") -> Path:
    """A torch that can be imported."""
    return wheel(folder, "torch", version, {"torch/__init__.py": TORCH.format(version=version)})


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
