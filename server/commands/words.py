# SPDX-License-Identifier: Apache-2.0
"""Amounts as people read them."""

from __future__ import annotations


def amount(size: int) -> str:
    """Bytes, as 512 MB or 1.4 GB."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def duration(seconds: float) -> str:
    """As 5 s, 12 min, 3 h 20 min or 2 d 4 h."""
    minutes = int(seconds // 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    if minutes < 60:
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h {minutes % 60} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def milliseconds(ms: float) -> str:
    """As 12 ms or 3.4 s."""
    return f"{ms:.0f} ms" if ms < 1000 else f"{ms / 1000:.1f} s"
