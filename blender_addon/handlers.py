# SPDX-License-Identifier: GPL-3.0-or-later
"""Functions that Blender calls: after an update, before an undo, when a file is loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import bpy

Handlers = Mapping[str, Callable[..., None]]
"""By the names of the lists in `bpy.app.handlers`; each function is @persistent, to outlive the loading of files."""


def add(handlers: Handlers) -> None:
    for name, handler in handlers.items():
        getattr(bpy.app.handlers, name).append(handler)


def remove(handlers: Handlers) -> None:
    """Take them out again; those that somebody else has taken out are no matter."""
    for name, handler in handlers.items():
        listed = getattr(bpy.app.handlers, name)
        if handler in listed:
            listed.remove(handler)
