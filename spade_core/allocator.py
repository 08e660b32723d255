# SPDX-License-Identifier: Apache-2.0
"""Memory on a CPU: what a step or a picture has freed is kept for the next one, in place of being asked for anew.

A picture of 512 squared takes and frees some GB in pieces of many MB. glibc gives each back to the system, which has to
clear every page of it for the next: that takes as long as painting. Other systems' allocators are left as they are.
"""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from typing import Any

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
"""mallopt's parameters, as glibc's malloc.h numbers them."""
LARGEST = 2**31 - 1


def keep_freed_memory() -> bool:
    """Keep what is freed until `return_freed_memory`; returns whether this system's allocator can be told."""
    glibc = _glibc()
    if glibc is None:
        return False
    taken = [glibc.mallopt(M_MMAP_MAX, 0), glibc.mallopt(M_TRIM_THRESHOLD, LARGEST)]
    return taken == [1, 1]


def return_freed_memory() -> None:
    """Give what is free to other programs: a server that waits holds no more than it needs."""
    glibc = _glibc()
    if glibc is not None:
        glibc.malloc_trim(0)


@cache
def _glibc() -> Any:
    """The C library of this process, where it is glibc."""
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    return library if hasattr(library, "gnu_get_libc_version") else None
