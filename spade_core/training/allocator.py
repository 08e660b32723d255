# SPDX-License-Identifier: Apache-2.0
"""Memory of the CPU is kept for the next step in place of being given back and asked for again."""

from __future__ import annotations

import ctypes
import platform

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX, M_ARENA_MAX = -1, -2, -4, -8
"""mallopt's parameters, as glibc's malloc.h numbers them."""
LARGEST = 2**31 - 1


def keep_freed_memory() -> bool:
    """Tell glibc to keep what is freed; returns whether this system's allocator is glibc's.

    A step takes and frees some GB in pieces of many MB. glibc maps each anew, and the kernel has to clear its pages: a
    third of the time of a step. Other systems' allocators are left as they are.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    settings = {M_MMAP_MAX: 0, M_TRIM_THRESHOLD: LARGEST, M_TOP_PAD: 256 << 20, M_ARENA_MAX: 1}
    taken = [mallopt(name, value) == 1 for name, value in settings.items()]
    return all(taken)
