# SPDX-License-Identifier: GPL-3.0-or-later
"""The operators. They ask the scene side for labels, the bridge for pictures, and land what comes back."""

from __future__ import annotations

import bpy

from ..bridge import pump
from . import generate, label_map, label_sets, labels, pairs, place, polite, scenes, server, swatches

_CLASSES = tuple(
    kind
    for part in (polite, generate, place, labels, label_sets, label_map, pairs, scenes, server)
    for kind in part.CLASSES
)


def register() -> None:
    for kind in _CLASSES:
        bpy.utils.register_class(kind)
    pump.place_with(place.land)


def unregister() -> None:
    for kind in reversed(_CLASSES):
        bpy.utils.unregister_class(kind)
    swatches.forget()
