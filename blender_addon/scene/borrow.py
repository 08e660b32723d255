# SPDX-License-Identifier: GPL-3.0-or-later
"""Host state is borrowed: whatever is changed comes back on any exit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def borrowed(owner: Any, **values: Any) -> Iterator[Any]:
    """Set attributes of `owner` for the length of a `with` block.

    What already has the value is not written: every write to a data-block makes Blender update it.
    """
    before = {}
    try:
        for name, value in values.items():
            old = getattr(owner, name)
            if old != value:
                setattr(owner, name, value)
                before[name] = old
        yield owner
    finally:
        for name, old in before.items():
            setattr(owner, name, old)


def set_if_known(owner: Any, **values: Any) -> None:
    """Set those attributes that this version of Blender has."""
    for name, value in values.items():
        if hasattr(owner, name):
            setattr(owner, name, value)
