# SPDX-License-Identifier: GPL-3.0-or-later
"""What an installation needs, checked and said before it starts."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..contract.errors import CannotWriteError, ForbiddenError, UnavailableError
from .torch_build import TorchBuild, best_build, this_machine
from .wheels import ServerWheel, torch_in

GIGABYTE = 1e9
# unpacked and tried, a wheel takes this many times its size, itself included
UNPACKED = 5.0
_BOUND = re.compile(r"(>=|<=|<|>)\s*(\d+)\.(\d+)")


@dataclass(frozen=True)
class Plan:
    """What is going to be installed.

    root: the folder of environments. wheels: a folder to take every package from, or None for the network.
    sentence: what happens, for the user to agree to.
    """

    root: Path
    wheel: ServerWheel
    wheels: Path | None
    index: str
    disk_bytes: int
    sentence: str

    def specification(self) -> str:
        """For the worker."""
        constraints = self.wheel.constraints
        return json.dumps(
            {
                "root": str(self.root),
                "version": self.wheel.version,
                "requirement": str(self.wheel.file),
                "constraints": str(constraints) if constraints.is_file() else "",
                "wheels": str(self.wheels) if self.wheels else "",
                "index": self.index,
                "expected_bytes": self.disk_bytes,
            }
        )


def plan_from_network(root: Path, wheel: ServerWheel, may_go_online: bool, fix: str) -> Plan:
    """A plan that downloads. fix: how the user allows the network.

    Raises UnavailableError (this Python or computer cannot run it), ForbiddenError (the network is not allowed) and
    CannotWriteError (too little space).
    """
    _check_python(wheel)
    build = best_build(this_machine())
    if not may_go_online:
        raise ForbiddenError("Blender may not go online, and the server's packages lie there.", fix=fix)
    plan = Plan(root, wheel, None, build.index, _bytes_of(build), build.sentence)
    _check_space(plan)
    return plan


def plan_from_folder(root: Path, wheel: ServerWheel, wheels: Path) -> Plan:
    """A plan that takes everything from a folder of wheels. Raises UnavailableError and CannotWriteError."""
    _check_python(wheel)
    torch = torch_in(wheels, sys.version_info[:2])
    packed = sum(file.stat().st_size for file in wheels.glob("*.whl"))
    sentence = (
        f"Installs PyTorch {torch}, for {_device_of(torch)}, and the rest from '{wheels.name}': uses no network "
        f"and takes about {max(0.1, packed * UNPACKED / GIGABYTE):.1f} GB of disk."
    )
    plan = Plan(root, wheel, wheels, "", int(packed * UNPACKED), sentence)
    _check_space(plan)
    return plan


def _check_python(wheel: ServerWheel) -> None:
    """Raises UnavailableError where the wheel does not run in this Blender's Python."""
    here = sys.version_info[:2]
    compare: dict[str, Callable[[tuple[int, ...]], bool]] = {
        ">=": lambda bound: here >= bound,
        "<=": lambda bound: here <= bound,
        ">": lambda bound: here > bound,
        "<": lambda bound: here < bound,
    }
    bounds = _BOUND.findall(wheel.requires_python)
    fits = all(compare[sign]((int(major), int(minor))) for sign, major, minor in bounds)
    if not fits or sys.maxsize < 2**32:
        bits = "" if sys.maxsize > 2**32 else ", 32 bit"
        raise UnavailableError(
            f"The server needs Python {_in_words(wheel.requires_python)}, this Blender has {here[0]}.{here[1]}{bits}.",
            fix="Give a server of your own in the preferences, or use another Blender.",
        )
    missing = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
    if missing:
        raise UnavailableError(
            f"This Blender's Python cannot make environments: it lacks {' and '.join(missing)}.",
            fix="Install the system's package for them (python3-venv), or use Blender from blender.org.",
        )


def _in_words(requires_python: str) -> str:
    """ ">=3.11,<3.14", in either order, as "3.11 to 3.13"; other bounds as they are."""
    bounds = sorted(each.strip() for each in requires_python.split(","))
    found = re.fullmatch(r"(?:<(\d+)\.(\d+),)?>=(\d+\.\d+)", ",".join(bounds))
    if found is None:
        return requires_python
    major, after, first = found.groups()
    return f"{first} or newer" if major is None else f"{first} to {major}.{int(after) - 1}"


def _check_space(plan: Plan) -> None:
    existing = next(folder for folder in (plan.root, *plan.root.parents) if folder.is_dir())
    free = shutil.disk_usage(existing).free
    if free < plan.disk_bytes:
        raise CannotWriteError(
            f"The server needs {plan.disk_bytes / GIGABYTE:.1f} GB, and {free / GIGABYTE:.1f} GB are free at "
            f"'{existing}'.",
            fix="Free some space, then press Install Server again.",
        )


def _bytes_of(build: TorchBuild) -> int:
    return int((build.download_gb + build.disk_gb) * GIGABYTE)


def _device_of(torch: str) -> str:
    kind = torch.partition("+")[2]
    if kind.startswith("cu"):
        return f"NVIDIA GPUs (CUDA {kind[2:-1]})"
    if sys.platform == "darwin":
        return "Apple's GPU (MPS)"
    return "the processor (CPU)" if kind == "cpu" or sys.platform == "win32" else "NVIDIA GPUs"
