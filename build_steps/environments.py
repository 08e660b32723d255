# SPDX-License-Identifier: Apache-2.0
"""The two virtual environments: .venv (torch, tools, Blender 4.5) and .venv-3.13 (Blender 5.2, no torch).

Each carries a stamp of what it was made from, so that a second run has nothing to do.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path

from . import interpreters, pip
from .console import BuildError, step, warn
from .interpreters import Version
from .processes import run_logged

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "constraints.txt"
PACKAGES = ROOT / "setup.py"
LOG = ROOT / "build" / "logs" / "setup.log"
SECOND: Version = (3, 13)
GIGABYTES = {"main": 5.0, "second": 2.0}  # installed, plus the downloads that pip unpacks
SPADE = [".[train,onnx,upscale,data,hub,cluster,dev]"]


@dataclass(frozen=True)
class Environment:
    """A ready virtual environment; `blender` is the bpy version in it, or "" and `no_blender` says why."""

    folder: Path
    version: Version
    blender: str = ""
    no_blender: str = ""

    @property
    def python(self) -> Path:
        return self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    @property
    def title(self) -> str:
        return "Python {}.{}".format(*self.version) + (f", Blender {self.blender}" if self.blender else "")


def main_environment() -> Environment:
    """`.venv`, made or brought up to date if need be."""
    version, python = interpreters.best()
    return _ready(ROOT / ".venv", version, python, "main", ["--editable", *SPADE])


def second_environment(main: Environment) -> Environment | None:
    """`.venv-3.13` for the second Blender, or None where no other Python 3.13 is found."""
    if main.version == SECOND:
        return None
    python = interpreters.find(SECOND)
    if python is None:
        return None
    return _ready(ROOT / ".venv-3.13", SECOND, python, "second", _second_packages())


def _project() -> dict:
    with (ROOT / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)


def _second_packages() -> list[str]:
    return _project()["dependency-groups"]["second-blender"]


def _blender_requirement(version: Version) -> str | None:
    """The bpy that goes with this Python, as pinned; None where there is none (3.12)."""
    marker = 'python_version == "{}.{}"'.format(*version)
    for line in CONSTRAINTS.read_text(encoding="utf-8").splitlines():
        if line.startswith("bpy==") and marker in line:
            return line.split(";")[0].strip()
    return None


def _key(version: Version, packages: list[str]) -> str:
    """What an environment depends on, as one number: any change means another pip run."""
    project = _project()
    installed = [project[name] for name in ("build-system", "project")] + [project["tool"]["setuptools"]]
    texts = [file.read_text(encoding="utf-8") for file in (CONSTRAINTS, PACKAGES)]
    parts = [str(version), *packages, json.dumps(installed), *texts]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _ready(folder: Path, version: Version, python: Path, kind: str, packages: list[str]) -> Environment:
    key = _key(version, packages)
    if environment := _stamped(folder, version, key):
        return environment
    stamp = _stamp_file(folder)
    stamp.unlink(missing_ok=True)
    _make(folder, version, python, kind)
    environment = Environment(folder, version)
    with step(f"Installing into {folder.name} (Python {version[0]}.{version[1]})") as shown:
        pip.install(environment.python, packages, "the packages", shown, LOG, CONSTRAINTS)
    environment = _with_blender(environment)
    stamp.write_text(json.dumps({"key": key, **_blender_of(environment)}), encoding="utf-8")
    return environment


def _stamp_file(folder: Path) -> Path:
    return folder / "spade-setup.json"


def _blender_of(environment: Environment) -> dict[str, str]:
    return {name: value for name, value in asdict(environment).items() if name in ("blender", "no_blender")}


def _stamped(folder: Path, version: Version, key: str) -> Environment | None:
    """The environment, if it stands and was made from what is in the tree now."""
    try:
        stamp = json.loads(_stamp_file(folder).read_text(encoding="utf-8"))
        environment = Environment(folder, version, stamp["blender"], stamp["no_blender"])
    except (OSError, ValueError, KeyError):
        return None
    return environment if stamp["key"] == key and environment.python.exists() else None


def _make(folder: Path, version: Version, python: Path, kind: str) -> None:
    existing = Environment(folder, version)
    if existing.python.exists() and interpreters.works(str(existing.python), version):
        _need_space(1.0)  # it stands: little is left to install
        return
    _need_space(GIGABYTES[kind])
    if folder.exists():
        if not (folder / "pyvenv.cfg").exists():
            raise BuildError(
                f"{folder} is in the way: it is not a virtual environment.",
                "Move or delete it, then try again.",
            )
        shutil.rmtree(folder)  # of another Python, or one that is gone
    with step(f"Making {folder.name} with Python {version[0]}.{version[1]}"):
        code, output = run_logged([python, "-m", "venv", folder], LOG)
        if code != 0:
            raise BuildError(
                f"Python could not make a virtual environment in {folder}.", f"The whole story is in {LOG}."
            )


def _need_space(gigabytes: float) -> None:
    """Refuse at once what would fail after minutes. Pip unpacks in the temporary folder first."""
    for place in {ROOT, Path(tempfile.gettempdir())}:
        free = shutil.disk_usage(place).free / 1e9
        if free < gigabytes:
            raise BuildError(
                f"There is not enough disk space at {place}: {free:.1f} GB free, {gigabytes:.0f} GB needed.",
                "Free some space, or set TMPDIR to a folder on a larger disk if that one is full.",
            )


def _with_blender(environment: Environment) -> Environment:
    """Install Blender as a Python module, where this Python and platform have one."""
    folder, version = environment.folder, environment.version
    wanted = _blender_requirement(version)
    if wanted is None:
        why = "There is no Blender module for Python {}.{}: use 3.11 or 3.13.".format(*version)
        return Environment(folder, version, no_blender=why)
    with step(f"Installing Blender {wanted.split('==')[1]} as a Python module (about 360 MB)") as shown:
        try:
            pip.install(environment.python, [wanted], "Blender", shown, LOG, CONSTRAINTS)
        except pip.PipError as failure:
            if not failure.has_no_wheel:
                raise
            why = f"Blender has no Python module ({wanted}) for this platform."
            return Environment(folder, version, no_blender=why)
    return Environment(folder, version, blender=wanted.split("==")[1])


def mention_what_is_missing(main: Environment, second: Environment | None) -> None:
    """Say which Blender is left out, and why."""
    for environment in (main, second):
        if environment and environment.no_blender:
            warn(environment.no_blender, "Everything else works; what needs this Blender is left out.")
    if main.version == SECOND:
        warn("Blender 4.5 is left out: it needs Python 3.11.", "Install Python 3.11 to use it too.")
    elif second is None:
        warn("Blender 5.2 is left out: no Python 3.13 was found.", "Install Python 3.13 to use it too.")
