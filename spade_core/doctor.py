# SPDX-License-Identifier: Apache-2.0
"""Examining the machine: each check says what it found and, where something is wrong, what to do."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from .extras import EXTRAS, PACKAGE, is_installed
from .verdicts import (
    FAIL,
    GPU_PAGE,
    OK,
    OLDEST_TORCH,
    WARN,
    CheckResult,
    TorchFacts,
    judge_blender,
    judge_extras,
    judge_memory,
    judge_python,
    judge_torch,
    version_numbers,
)

NEED_TORCH = {"models", "upscalers", "previews", "training"}
AGAIN = f"Install the package again with all that it needs: pip install --force-reinstall {PACKAGE}."


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
        if version_numbers(version) < OLDEST_TORCH:  # of such a one no more is asked
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


def _previews() -> CheckResult:
    from .runtime import chosen_device
    from .synthesis.precision import preview_on

    numbers = preview_on(chosen_device("auto"))
    said = f"computed in {numbers}" if numbers else "the exact pictures: on this device nothing is faster"
    return CheckResult(OK, "previews", said)


CHECKS: dict[str, Callable[[], CheckResult]] = {
    "Python": lambda: judge_python(sys.version_info[:2]),
    "torch": check_torch,
    "memory": _memory,
    "models": _weights,
    "upscalers": _upscaler,
    "previews": _previews,
    "training": _training,
    "extras": _extras,
    "ZeroMQ": _zeromq,
    "Blender": _blender,
    "server": _server,
}
