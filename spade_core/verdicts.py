# SPDX-License-Identifier: Apache-2.0
"""What is to be said of a machine: pure functions of plain facts, so that a GPU is judged where there is none."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from .extras import EXTRAS, install

OK, WARN, FAIL = "ok", "warn", "fail"
GPU_PAGE = "pytorch.org/get-started"
OLDEST_TORCH = (2, 11)
"""As in pyproject.toml."""


@dataclass(frozen=True)
class CheckResult:
    """One line of the report; `fix` is empty where nothing is to be done."""

    verdict: str
    what: str
    said: str
    fix: str = ""


@dataclass(frozen=True)
class TorchFacts:
    """What is known about torch here. `cuda_build` is the CUDA it was built for ("" for a CPU build)."""

    version: str
    system: str  # sys.platform
    cuda_build: str = ""
    cuda_works: bool = False
    mps_works: bool = False
    device_name: str = ""
    driver: str = ""  # the NVIDIA driver's version, "" where there is none
    apple_silicon: bool = False


def judge_python(version: tuple[int, int]) -> CheckResult:
    said = "{}.{}".format(*version)
    if (3, 11) <= version < (3, 14):
        return CheckResult(OK, "Python", said)
    return CheckResult(FAIL, "Python", f"{said} is not supported", "Use Python 3.11, 3.12 or 3.13.")


def judge_torch(facts: TorchFacts) -> CheckResult:
    """What torch can compute on, and why it is not the GPU where there is one."""
    said = f"torch {facts.version}"
    if version_numbers(facts.version) < OLDEST_TORCH:
        oldest = ".".join(map(str, OLDEST_TORCH))
        return CheckResult(
            FAIL, "torch", f"{said} is too old", f"Run: pip install --upgrade 'torch>={oldest}' ({GPU_PAGE})."
        )
    if facts.cuda_works:
        return CheckResult(OK, "torch", f"{said} on {facts.device_name or 'CUDA'}")
    if facts.mps_works:
        return CheckResult(OK, "torch", f"{said} on Apple's GPU (MPS)")
    if facts.driver and not facts.cuda_build:
        usual = " (on Windows, pip's ordinary torch is CPU-only)" if facts.system == "win32" else ""
        return CheckResult(
            WARN,
            "torch",
            f"{said} is CPU-only, beside an NVIDIA driver {facts.driver}{usual}",
            f"Install the CUDA build: choose CUDA at {GPU_PAGE} and run its command in this environment.",
        )
    if facts.driver:
        return CheckResult(
            WARN,
            "torch",
            f"{said} is for CUDA {facts.cuda_build}, which the NVIDIA driver {facts.driver} does not run",
            f"Update the driver, or choose a build for an older CUDA at {GPU_PAGE}.",
        )
    if facts.cuda_build:
        return CheckResult(
            WARN,
            "torch",
            f"{said} was built for CUDA {facts.cuda_build}, but no NVIDIA driver is found: the CPU is used",
            "Install NVIDIA's driver if the machine has such a GPU; otherwise all is well.",
        )
    if facts.apple_silicon:
        return CheckResult(
            WARN, "torch", f"{said} does not see Apple's GPU", "Use an arm64 Python on macOS 13 or later."
        )
    return CheckResult(OK, "torch", f"{said} on the CPU (no GPU found)")


def judge_extras(there: Collection[str]) -> CheckResult:
    """Which extras are installed, and what those that are not would bring."""
    lacking = [f"{name} ({extra.brings})" for name, extra in EXTRAS.items() if name not in there]
    said = ", ".join(name for name in EXTRAS if name in there) or "none"
    if lacking:
        said += f"; not there: {', '.join(lacking)}"
    if "train" not in there:
        return CheckResult(WARN, "extras", said, f"To train and evaluate: {install('train')}")
    return CheckResult(OK, "extras", said)


def judge_memory(total_gb: float | None) -> CheckResult:
    if total_gb is None:
        return CheckResult(OK, "memory", "size unknown on this system")
    if total_gb < 4:
        fix = "Close other programs, or use a server on another machine."
        return CheckResult(
            WARN, "memory", f"{total_gb:.1f} GB: little for Blender and the server together", fix
        )
    return CheckResult(OK, "memory", f"{total_gb:.0f} GB")


def judge_blender(where: str, version: tuple[int, ...] | None) -> CheckResult:
    """`where` is the module or program found ("" for none)."""
    if not where or version is None:
        said = "not found: everything but the add-on works"
        fix = "Install Blender 4.5 LTS or 5.2 LTS, or put it on PATH if it is there."
        return CheckResult(WARN, "Blender", said, fix)
    said = f"{'.'.join(map(str, version))} ({where})"
    if version < (4, 2):
        return CheckResult(
            WARN, "Blender", f"{said} is too old for extensions", "Install 4.5 LTS or 5.2 LTS."
        )
    return CheckResult(OK, "Blender", said)


def version_numbers(version: str) -> tuple[int, ...]:
    """(2, 13) of "2.13.0+cpu"; () where it does not begin with numbers."""
    return tuple(map(int, re.findall(r"\d+", version.partition("+")[0])[:2]))
