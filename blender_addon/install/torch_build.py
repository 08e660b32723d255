# SPDX-License-Identifier: GPL-3.0-or-later
"""Which build of PyTorch fits this computer, and why."""

from __future__ import annotations

import ctypes
import platform
import sys
from dataclasses import dataclass

from ..contract.errors import UnavailableError

# The driver says which CUDA it runs as 1000 * major + 10 * minor; one of a major runs every build for that major.
CUDA_BUILDS = ((13000, "cu130", "13"), (12000, "cu126", "12"))
INDEX = "https://download.pytorch.org/whl"
ORDINARY = ""  # the package index's own build is the right one


@dataclass(frozen=True)
class Machine:
    """What decides it. system: sys.platform. cuda: the driver's CUDA as it says it, 0 without an NVIDIA driver."""

    system: str
    processor: str
    cuda: int = 0


@dataclass(frozen=True)
class TorchBuild:
    """A build to install. index: where it lies beside the package index, or "". why: for one sentence."""

    name: str
    index: str
    why: str
    download_gb: float
    disk_gb: float

    @property
    def sentence(self) -> str:
        """What is going to happen, in one sentence."""
        return (
            f"Installs PyTorch for {self.name}, because {self.why}: downloads about {self.download_gb:g} GB "
            f"and takes about {self.disk_gb:g} GB of disk."
        )


def this_machine() -> Machine:
    """What is known of this computer, found in a moment."""
    return Machine(sys.platform, platform.machine().lower(), _cuda_of_driver())


def best_build(machine: Machine) -> TorchBuild:
    """The build for a computer. Raises UnavailableError where there is none."""
    if machine.system == "darwin":
        if machine.processor != "arm64":
            raise UnavailableError(
                "There is no current PyTorch for Macs with Intel processors.",
                fix="Use a server on another computer: At an Address, in the add-on preferences.",
            )
        return TorchBuild("Apple's GPU (MPS)", ORDINARY, "this Mac has one", 0.2, 1.0)
    for least, index, version in CUDA_BUILDS:
        if machine.cuda >= least:
            why = f"the NVIDIA driver here runs CUDA {machine.cuda // 1000}.{machine.cuda % 1000 // 10}"
            return TorchBuild(f"NVIDIA GPUs (CUDA {version})", f"{INDEX}/{index}", why, 3.0, 7.0)
    why = "no NVIDIA GPU was found"
    if machine.cuda:
        why = f"the NVIDIA driver here is too old for it (CUDA {machine.cuda // 1000}, needed is 12)"
    # On Windows the package index's own build is the one for the processor, on Linux it brings CUDA along.
    index = f"{INDEX}/cpu" if machine.system.startswith("linux") else ORDINARY
    return TorchBuild("the processor (CPU)", index, why, 0.3, 1.5)


def _cuda_of_driver() -> int:
    name = {"linux": "libcuda.so.1", "win32": "nvcuda.dll"}.get(sys.platform)
    if name is None:
        return 0
    try:
        driver = ctypes.CDLL(name)
        version = ctypes.c_int(0)
        return version.value if driver.cuDriverGetVersion(ctypes.byref(version)) == 0 else 0
    except (OSError, AttributeError):
        return 0
