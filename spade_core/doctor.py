# SPDX-License-Identifier: Apache-2.0
"""Examining the machine: each check says what it found and, where something is wrong, what to do.

The judgements are pure functions of plain facts: what is said of a GPU can be tested where there is none.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from .extras import EXTRAS, PACKAGE, install, is_installed

OK, WARN, FAIL = "ok", "warn", "fail"
GPU_PAGE = "pytorch.org/get-started"
OLDEST_TORCH = (2, 11)
"""As in pyproject.toml."""
NEED_TORCH = {"models", "upscalers", "training"}
AGAIN = f"Install the package again with all that it needs: pip install --force-reinstall {PACKAGE}."


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


def examine() -> Iterator[CheckResult]:
    """Every check, in order. One that breaks is itself a finding, never a traceback."""
    torch_works = True
    for what, check in CHECKS.items():
        if what in NEED_TORCH and not torch_works:
            yield CheckResult(WARN, what, "not looked at: that takes torch")
            continue
        try:
            found = check()
        except ImportError as error:
            found = CheckResult(FAIL, what, f"a library does not load: {error}", AGAIN)
        except Exception as error:
            found = CheckResult(FAIL, what, f"the check itself failed: {error}", "Report this.")
        if what == "torch":
            torch_works = found.verdict != FAIL
        yield found


def judge_python(version: tuple[int, int]) -> CheckResult:
    said = "{}.{}".format(*version)
    if (3, 11) <= version < (3, 14):
        return CheckResult(OK, "Python", said)
    return CheckResult(FAIL, "Python", f"{said} is not supported", "Use Python 3.11, 3.12 or 3.13.")


def judge_torch(facts: TorchFacts) -> CheckResult:
    """What torch can compute on, and why it is not the GPU where there is one."""
    said = f"torch {facts.version}"
    if _numbers(facts.version) < OLDEST_TORCH:
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


def check_torch() -> CheckResult:
    """Whether torch is there, loads, and is new enough; and what it computes on."""
    if not is_installed("torch"):
        return CheckResult(
            FAIL,
            "torch",
            "torch is not installed",
            f"Choose a build at {GPU_PAGE}, or run: pip install torch.",
        )
    try:
        import torch

        version = str(torch.__version__)
        if _numbers(version) < OLDEST_TORCH:  # of such a one no more is asked
            return judge_torch(TorchFacts(version, sys.platform))
        cuda = torch.cuda.is_available()
    except (
        Exception
    ) as error:  # a missing library is an OSError or an ImportError, a half installation anything
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        visual = " and Microsoft's Visual C++ Redistributable" if sys.platform == "win32" else ""
        fix = f"Install it{visual} again: pip install --force-reinstall torch, or a build of {GPU_PAGE}."
        return CheckResult(FAIL, "torch", f"torch is installed, but does not load: {first[:200]}", fix)
    return judge_torch(
        TorchFacts(
            version=version,
            system=sys.platform,
            cuda_build=torch.version.cuda or "",
            cuda_works=cuda,
            mps_works=torch.backends.mps.is_available(),
            device_name=torch.cuda.get_device_name(0) if cuda else "",
            driver=_nvidia_driver(),
            apple_silicon=sys.platform == "darwin" and os.uname().machine == "arm64",
        )
    )


def _numbers(version: str) -> tuple[int, ...]:
    """(2, 13) of "2.13.0+cpu"; () where it does not begin with numbers."""
    return tuple(map(int, re.findall(r"\d+", version.partition("+")[0])[:2]))


def _extras() -> CheckResult:
    return judge_extras([name for name, extra in EXTRAS.items() if extra.is_there])


def _nvidia_driver() -> str:
    """The driver's version, or "" where there is none."""
    program = shutil.which("nvidia-smi")
    if program:
        query = [program, "--query-gpu=driver_version", "--format=csv,noheader"]
        asked = subprocess.run(query, capture_output=True, text=True, timeout=20)
        if asked.returncode == 0 and asked.stdout.strip():
            return asked.stdout.split()[0]
    proc = Path("/proc/driver/nvidia/version")
    found = re.search(r"\b(\d+\.\d+(?:\.\d+)?)\b", proc.read_text()) if proc.exists() else None
    return found[1] if found else ""


def _memory() -> CheckResult:
    try:
        return judge_memory(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9)
    except (AttributeError, ValueError, OSError):
        return judge_memory(None)  # Windows has no sysconf


def _weights() -> CheckResult:
    from .checkpoint.file import load_checkpoint
    from .contract.errors import SpadeError

    found = sorted((Path(__file__).parent / "weights").glob("*.safetensors"))
    if not found:
        return CheckResult(FAIL, "models", "no embedded model is installed", "Install the package again.")
    try:
        for path in found:
            load_checkpoint(path)
    except SpadeError as error:
        return CheckResult(FAIL, "models", error.message, error.fix)
    return CheckResult(OK, "models", ", ".join(f"{p.stem} ({p.stat().st_size / 1e6:.1f} MB)" for p in found))


def _upscaler() -> CheckResult:
    from .upscaling.names import available

    names = available()
    if "x4plus" in names:
        return CheckResult(
            OK, "upscalers", f"{names[0]} enlarges large pictures; x4plus is there too: --upscale x4plus"
        )
    more = "for finer strands and leaves: pip install 'spade-backdrops[upscale]', then --upscale x4plus"
    return CheckResult(OK, "upscalers", f"{names[0]} enlarges large pictures ({more})")


def _training() -> CheckResult:
    from .model.fused.library import library

    if library() is not None:
        return CheckResult(OK, "training", "on a CPU in fewer passes over memory, compiled here")
    return CheckResult(
        OK, "training", "a C compiler (gcc, clang) would make it about 1.4 times as fast on a CPU"
    )


def _zeromq() -> CheckResult:
    import zmq

    context = zmq.Context()
    try:
        with context.socket(zmq.ROUTER) as socket:
            socket.linger = 0
            socket.bind_to_random_port("tcp://127.0.0.1")
    except zmq.ZMQError as error:
        fix = "Let this program listen on the loopback address (firewall, sandbox)."
        return CheckResult(FAIL, "ZeroMQ", f"cannot listen on 127.0.0.1: {error}", fix)
    finally:
        context.term()
    return CheckResult(OK, "ZeroMQ", f"{zmq.zmq_version()} (pyzmq {zmq.__version__}), listens on 127.0.0.1")


def _blender() -> CheckResult:
    from importlib import metadata

    try:
        version = metadata.version("bpy")
        return judge_blender("as a Python module", tuple(map(int, version.split(".")[:3])))
    except metadata.PackageNotFoundError:
        pass
    program = shutil.which("blender")
    if program is None:
        return judge_blender("", None)
    asked = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=60)
    found = re.search(r"Blender (\d+)\.(\d+)(?:\.(\d+))?", asked.stdout)
    return judge_blender(program, tuple(int(part or 0) for part in found.groups()) if found else None)


def _server() -> CheckResult:
    from .contract.connection import default_connection_file
    from .contract.errors import SpadeError

    file = default_connection_file()
    if not file.exists():
        return CheckResult(OK, "server", "none is running (the add-on starts its own)")
    try:
        from .contract.client import Client

        with Client.from_connection_file(file, software="spade doctor") as client:
            welcome = client.fetch_welcome(timeout_s=3.0)
        return CheckResult(
            OK, "server", f"{welcome.state}, serves {', '.join(m.name for m in welcome.models)}"
        )
    except SpadeError as error:
        fix = f"Start it again with `spade-server`, or delete {file} if it is not meant to run."
        return CheckResult(WARN, "server", f"announced in {file}, but: {error.message}", fix)


CHECKS: dict[str, Callable[[], CheckResult]] = {
    "Python": lambda: judge_python(sys.version_info[:2]),
    "torch": check_torch,
    "memory": _memory,
    "models": _weights,
    "upscalers": _upscaler,
    "training": _training,
    "extras": _extras,
    "ZeroMQ": _zeromq,
    "Blender": _blender,
    "server": _server,
}
