# SPDX-License-Identifier: Apache-2.0
"""What computes: which device, with how many cores, and how each says that it has too little memory.

torch is imported when a device is chosen: a server's broker counts cores without it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from .contract.errors import Unavailable

if TYPE_CHECKING:
    import torch


def chosen_device(wanted: str) -> torch.device:
    """The device of this name; "auto" takes CUDA, then MPS, then the CPU. Raises Unavailable where it is not there."""
    import torch

    if wanted == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(wanted)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError):
        raise Unavailable(
            f"The device '{wanted}' cannot be used here.", "Use the device 'auto', or run 'spade doctor'."
        ) from None
    return device


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


def is_out_of_memory(error: Exception) -> bool:
    """Each device says it in its own way."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or any(
        words in text for words in ("out of memory", "not enough memory", "can't allocate memory")
    )
