# SPDX-License-Identifier: Apache-2.0
"""How much memory a device has for pictures, and how much a picture takes: as the system or the device says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from spade_core.runtime import return_freed_memory

_RESET_PEAK = "5"
"""What Linux wants to hear (proc(5), clear_refs)."""


def room(device: str) -> int:
    """Bytes that pictures may take at most, beside what this process holds already; 0 where nobody says."""
    if device.startswith("cuda"):
        import torch

        return torch.cuda.mem_get_info(device)[1] - torch.cuda.memory_allocated(device)
    total = _kilobytes("/proc/meminfo", "MemTotal") if device == "cpu" else 0
    return max(1, min(_group_limit(total) - _own("VmRSS"), _address_space_left(total))) if total else 0


def free(device: str) -> int:
    """As room, but of what other programs have left now. Gives back what this process holds free."""
    if device.startswith("cuda"):
        import torch

        held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + held
    return_freed_memory()
    return min(_kilobytes("/proc/meminfo", "MemAvailable"), room(device))


def peak_of(work: Callable[[], object], device: str) -> int:
    """Bytes that this takes while it runs; 0 where nobody says."""
    if device.startswith("cuda"):
        import torch

        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        work()
        return torch.cuda.max_memory_allocated(device) - before
    return_freed_memory()
    can_tell = device == "cpu" and _reset_peak()
    before = _own("VmRSS")
    work()
    return max(0, _own("VmHWM") - before) if can_tell else 0


def _reset_peak() -> bool:
    try:
        Path("/proc/self/clear_refs").write_text(_RESET_PEAK)
    except OSError:
        return False
    return True


def _own(what: str) -> int:
    return _kilobytes("/proc/self/status", what)


def _kilobytes(file: str, what: str) -> int:
    try:
        lines = Path(file).read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{what}:")), 0)


def _group_limit(total: int) -> int:
    """Of the control group that this process is in (a container), as it sees it."""
    limits = [total]
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            limits.append(int(Path(file).read_text()))
        except (OSError, ValueError):
            pass  # another kind of group, or "max"
    return min(limits)


def _address_space_left(total: int) -> int:
    """What a limit on addresses (ulimit -v) leaves."""
    import resource  # not on Windows, where there is no /proc either

    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return total if limit == resource.RLIM_INFINITY else limit - _own("VmSize")
