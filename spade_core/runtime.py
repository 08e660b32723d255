# SPDX-License-Identifier: Apache-2.0
"""The machine: which device computes and with how many cores, how memory is kept, and how its lack is told."""

from __future__ import annotations

import ctypes
import math
import os
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .contract.errors import UnavailableError

if TYPE_CHECKING:
    import torch

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -3, -4, -8
"""mallopt's parameters, as glibc's malloc.h numbers them."""
SLEEPING_THREADS = {"OMP_WAIT_POLICY": "passive"}
"""Environment of processes that compute: see `share_cores`."""
NEVER = -1
LARGE = 2**21


def chosen_device(wanted: str) -> torch.device:
    """The device of this name; "auto" takes CUDA, then MPS, then the CPU.

    Raises UnavailableError where it is not there.
    """
    import torch  # here: it takes seconds, and a worker wants its memory settled before

    if wanted == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(wanted)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError):
        raise UnavailableError(
            f"The device '{wanted}' cannot be used here.", "Use the device 'auto', or run 'spade doctor'."
        ) from None
    return device


def fastest_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the device multiplies it faster than float32 (CUDA, processors with avx512_bf16), else float32.

    Emulated, it takes ten times as long.
    """
    import torch

    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    fast = device.type == "cpu" and getattr(torch.cpu, "get_capabilities", dict)().get("avx512_bf16", False)
    return torch.bfloat16 if fast else torch.float32


def physical_cores() -> int:
    """Cores this process may use, hyper-threads not counted: two threads on one core only slow each other."""
    try:
        usable = os.sched_getaffinity(0)
        siblings = {
            Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list").read_text()
            for cpu in usable
        }
        return max(1, len(siblings))
    except (AttributeError, OSError):  # not Linux
        return os.cpu_count() or 1


def share_cores() -> None:
    """Have the threads that compute sleep while they wait for each other; to be called before torch is imported.

    OpenMP keeps their cores busy meanwhile, which gains nothing and, where another program wants one, as Blender does,
    makes a picture take up to ten times as long: the thread that is waited for has no core to run on. What the user
    has set stays. `python -m benchmarks.shared_cores` measures it.
    """
    for name, value in SLEEPING_THREADS.items():
        os.environ.setdefault(name, value)


def keep_freed_memory() -> bool:
    """Keep what is freed until `return_freed_memory`; returns whether this system's allocator can be told."""
    glibc = _glibc()
    if glibc is None:
        return False
    taken = [glibc.mallopt(M_MMAP_MAX, 0), glibc.mallopt(M_TRIM_THRESHOLD, NEVER)]
    return taken == [1, 1]


def keep_small_change_only() -> None:
    """For a process that passes blocks on and computes nothing. Those of some 100 KiB are kept when they are freed, for
    the system takes longer to hand out a picture's pages than to copy it; what is larger, or more, is given back at
    once. Left alone, glibc would hold for ever what the worst minute took; so does what is kept, unless
    `return_freed_memory` is called now and then."""
    glibc = _glibc()
    if glibc is not None:
        glibc.mallopt(M_MMAP_THRESHOLD, LARGE)
        glibc.mallopt(M_TRIM_THRESHOLD, 4 * LARGE)
        glibc.mallopt(M_ARENA_MAX, 2)


def return_freed_memory(beyond: int = 0) -> None:
    """Give what is free to other programs, where it is more than `beyond` bytes: a server that waits holds no more than
    it needs."""
    glibc = _glibc()
    if glibc is not None and (beyond == 0 or _freed_bytes(glibc) > beyond):
        glibc.malloc_trim(0)


class _Mallinfo(ctypes.Structure):
    """As malloc.h has it; `fordblks` are the bytes that are free and kept."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    )


def _freed_bytes(glibc: Any) -> float:
    if not hasattr(glibc, "mallinfo2"):  # before 2.33 it counted in 32 bits
        return math.inf
    glibc.mallinfo2.restype = _Mallinfo
    return glibc.mallinfo2().fordblks


def device_memory(wanted: str) -> tuple[str, int, int]:
    """The device that this process computes on, asked for as `wanted`, how many of its bytes are in use, and how many
    it has.

    Of the CPU it is what this process holds of the machine's. CUDA is not woken up for the question: ("", 0, 0) where
    it has not been used yet.
    """
    torch = sys.modules.get("torch")
    if torch is not None and getattr(torch.__spec__, "_initializing", False):
        torch = None  # another thread is importing it
    if torch is not None and wanted.startswith(("auto", "cuda")) and torch.cuda.is_initialized():
        device = torch.device(wanted if ":" in wanted else f"cuda:{torch.cuda.current_device()}")
        free, total = torch.cuda.mem_get_info(device)
        return str(device), total - free, total
    if torch is not None and wanted in ("auto", "mps") and torch.backends.mps.is_available():
        return "mps", torch.mps.driver_allocated_memory(), torch.mps.recommended_max_memory()
    return ("cpu", *_own_memory()) if wanted in ("auto", "cpu") else ("", 0, 0)


def _own_memory() -> tuple[int, int]:
    """Resident bytes of this process, and the machine's; zeros where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return 0, 0


@cache
def _glibc() -> Any:
    """The C library of this process, where it is glibc."""
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    return library if hasattr(library, "gnu_get_libc_version") else None


def is_out_of_memory(error: Exception) -> bool:
    """Each device says it in its own way, and so do libraries."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or any(words in text for words in _OUT_OF_MEMORY)


_OUT_OF_MEMORY = (
    "out of memory",
    "not enough memory",
    "can't allocate memory",
    "cannot allocate memory (",  # safetensors; of "cannot allocate memory in static TLS block" there is too little else
    "[errno 12]",
    "bad_alloc",
    "could not create a primitive",  # oneDNN
)
