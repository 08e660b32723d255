# SPDX-License-Identifier: GPL-3.0-or-later
"""One installation: what it needs, checked before it starts, and the process that does it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from threading import Thread
from typing import Any

from ..bridge.server_process import clean_environment, own_group
from ..contract.errors import CannotWriteError, ForbiddenError, SpadeError, UnavailableError
from .explain import explain
from .torch_build import TorchBuild, best_build, this_machine
from .wheels import ServerWheel, torch_in
from .worker import CANCELLED, remove

WORKER = Path(__file__).with_name("worker.py")
GIGABYTE = 1e9
CLOSE_PATIENCE_S = 3.0
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


class InstallState(Enum):
    """Where an installation is. The last three are ends."""

    RUNNING = "Installing"
    CANCELLING = "Cancelling"
    DONE = "Installed"
    CANCELLED = "Cancelled"
    FAILED = "Failed"


class Installation:
    """The process that installs by a plan. No call waits but close()."""

    def __init__(self, plan: Plan, log: Path) -> None:
        self.plan = plan
        self.log = log
        self.state = InstallState.RUNNING
        self.stage = ""
        self.fraction = 0.0
        self.error: SpadeError | None = None
        self._read = 0
        self._process = self._start()

    @property
    def has_ended(self) -> bool:
        return self.state not in (InstallState.RUNNING, InstallState.CANCELLING)

    def step(self) -> None:
        """Take what the process said, and see whether it has ended."""
        if self.has_ended:
            return
        code = self._process.poll()
        self._read_log()
        if code is None:
            return
        if self._process.stdin:
            self._process.stdin.close()
        _kill_group(self._process)  # what it started, where it could not see to that itself
        if code == 0:
            self.state = InstallState.DONE
        elif code == CANCELLED or self.state is InstallState.CANCELLING:
            self.state = InstallState.CANCELLED
        else:
            self.state, self.error = InstallState.FAILED, explain(self.log_text())

    def cancel(self) -> None:
        """Ask it to clean up and end; step() sees when it has."""
        if not self.has_ended:
            self.state = InstallState.CANCELLING
            with contextlib.suppress(OSError):
                assert self._process.stdin is not None
                self._process.stdin.close()

    def close(self) -> None:
        """For the end of Blender: a moment is waited for the process to clean up; it goes on by itself after that."""
        self.cancel()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(CLOSE_PATIENCE_S)

    def log_text(self) -> str:
        """All that the process said."""
        try:
            return self.log.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    def _start(self) -> subprocess.Popen[Any]:
        try:
            self.plan.root.mkdir(parents=True, exist_ok=True)
            with open(self.log, "wb") as log:
                process: subprocess.Popen[Any] = subprocess.Popen(
                    [sys.executable, "-I", str(WORKER), self.plan.specification()],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=clean_environment(),
                    **own_group(),
                )
                return process
        except OSError as problem:
            raise CannotWriteError(
                f"The installation could not begin: {problem.strerror or problem}.",
                fix=f"Check that '{self.plan.root}' can be written.",
            ) from None

    def _read_log(self) -> None:
        try:
            with open(self.log, "rb") as log:
                log.seek(self._read)
                text = log.read()
        except OSError:
            return
        whole = text[: text.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.splitlines():
            if line.startswith(b"@"):
                with contextlib.suppress(ValueError, KeyError):
                    said = json.loads(line[1:])
                    self.stage, self.fraction = said["stage"], said["fraction"]


def sweep(folders: list[Path]) -> None:
    """Remove folders in the background, for that takes seconds. What is left at the end is swept the next time."""
    if folders:
        Thread(target=lambda: [remove(str(folder)) for folder in folders], daemon=True).start()


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
            f"The server needs Python {wheel.requires_python}, this Blender has {here[0]}.{here[1]}{bits}.",
            fix="Give a server of your own in the preferences, or use another Blender.",
        )


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


def _kill_group(process: subprocess.Popen[Any]) -> None:
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
