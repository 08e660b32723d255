# SPDX-License-Identifier: GPL-3.0-or-later
"""The one bake that is under way; another file, and the add-on's end, end it."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.app.handlers import persistent

from .. import handlers
from ..contract.errors import BusyError
from .baker import Baker
from .plan import BakePlan

_running: Baker | None = None


def running_bake() -> Baker | None:
    """The bake that is under way."""
    return _running


def start_bake(scene: bpy.types.Scene, plan: BakePlan) -> Baker:
    """Begin one. Raises BusyError while another is under way, and what `Baker` does."""
    global _running
    if _running is not None:
        raise BusyError("Something is being baked already.", "Wait until it is done, or cancel it.")
    _running = Baker(scene, plan)
    return _running


def take_bake() -> Baker | None:
    """Let go of the one that has ended, to show what it made."""
    global _running
    baker, _running = _running, None
    return baker


def stop_bake() -> None:
    """End the one that is under way; what was finished stays beside the .blend, and is not shown."""
    baker = take_bake()
    if baker is not None:
        baker.close()


@persistent
def on_load(*_: Any) -> None:
    """Before another file is loaded."""
    stop_bake()


_HANDLERS = {"load_pre": on_load}


def register() -> None:
    handlers.add(_HANDLERS)


def unregister() -> None:
    handlers.remove(_HANDLERS)
    stop_bake()
