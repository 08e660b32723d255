# SPDX-License-Identifier: GPL-3.0-or-later
"""Spade Backdrops: photographic backdrops from the labels of a grey-box scene."""

from __future__ import annotations

import atexit

from . import (
    animation,
    background,
    batch,
    escape,
    free_device,
    history,
    label_image,
    label_taking,
    live,
    operators,
    overlay,
    place,
    preferences,
    properties,
    session,
    timer,
    ui,
)
from .install import installer
from .scene import label_overview

_PARTS = (
    *(preferences, properties, installer, session, label_taking, label_overview),
    *(place, background, animation, batch, history, label_image, overlay),
    *(operators, escape, live, ui, timer, free_device),
)


def register() -> None:
    for part in _PARTS:
        part.register()
    # Blender as a module never unregisters add-ons, and 4.5 hangs at exit when panels or timers are left.
    atexit.register(unregister)


def unregister() -> None:
    atexit.unregister(unregister)
    for part in reversed(_PARTS):
        part.unregister()
