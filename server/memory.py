# SPDX-License-Identifier: Apache-2.0
"""The process's memory: what pictures took is given back to the system when they have gone."""

from __future__ import annotations

import ctypes
import sys

_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8  # of mallopt(3)
_LARGE = 256 * 1024


def give_back_what_is_freed() -> None:
    """glibc keeps what is freed for later once it has seen that large blocks come and go: a server would hold for ever
    what its worst minute took. Blocks from 256 KiB go straight back; elsewhere there is nothing to be set."""
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE)
        mallopt(_M_ARENA_MAX, 2)
