# SPDX-License-Identifier: Apache-2.0
"""The server as a wheel, for the extension to carry along: Install Server installs it."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from . import pip
from .environments import CONSTRAINTS, LOG, ROOT, Environment
from .processes import run_logged

FOLDER = ROOT / "build" / "wheels" / "server"
INSIDE = "server_wheel"  # its folder in the extension
SOURCES = ("spade_core", "server", "blender_addon/LICENSE", "docs/package.md")
FILES = ("pyproject.toml", "setup.py", "LICENSE")
# A wheel holds the times of its files: with this one the same sources make the same wheel.
UNCHANGING_DATE = "1767225600"


def files(environment: Environment) -> dict[str, Path]:
    """What the extension carries: its path inside -> the file. Builds the wheel, unless these sources are built.

    Raises PipError.
    """
    wheel = _built(environment)
    return {f"{INSIDE}/{wheel.name}": wheel, f"{INSIDE}/{CONSTRAINTS.name}": CONSTRAINTS}


def _built(environment: Environment) -> Path:
    key = _key()
    folder = FOLDER / key
    kept = sorted(folder.glob("*.whl"))
    if kept:
        return kept[0]
    shutil.rmtree(FOLDER, ignore_errors=True)
    with tempfile.TemporaryDirectory() as place:
        # From a copy: what an earlier build left in the checkout has no say.
        copy = Path(place) / "source"
        for file in _sources():
            target = copy / file.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
        command = [
            environment.python,
            "-m",
            "pip",
            "wheel",
            "--disable-pip-version-check",
            "--no-deps",
            "--no-index",
        ]
        command += ["--no-build-isolation", "--wheel-dir", Path(place) / "made", copy]
        before = os.environ.get("SOURCE_DATE_EPOCH")
        os.environ["SOURCE_DATE_EPOCH"] = before or UNCHANGING_DATE
        try:
            code, output = run_logged(command, LOG)
        finally:
            if before is None:
                del os.environ["SOURCE_DATE_EPOCH"]
        if code != 0:
            raise pip.explain(output, "the server's wheel", LOG)
        made = next((Path(place) / "made").glob("*.whl"))
        folder.mkdir(parents=True)
        shutil.move(made, folder / made.name)
        return folder / made.name


def _sources() -> list[Path]:
    found = [ROOT / name for name in FILES]
    for name in SOURCES:
        place = ROOT / name
        found += [place] if place.is_file() else [file for file in place.rglob("*") if file.is_file()]
    return sorted(file for file in found if "__pycache__" not in file.parts and file.suffix != ".pyc")


def _key() -> str:
    """What the wheel is made of, as one number."""
    digest = hashlib.sha256()
    for file in _sources():
        digest.update(f"{file.relative_to(ROOT).as_posix()}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]
