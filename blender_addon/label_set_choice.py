# SPDX-License-Identifier: GPL-3.0-or-later
"""Which label set a scene's settings choose."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import bpy

from .contract.errors import SpadeError
from .contract.labels import LabelSet, load_label_set, parse_label_set

CUSTOM = "CUSTOM"


def label_set_of(scene_settings: Any) -> LabelSet:
    """The label set that was chosen. Raises BadLabelSetError when an imported one cannot be read."""
    return _label_set(scene_settings.label_set, scene_settings.custom_label_set)


@lru_cache(maxsize=8)  # Panels ask at every redraw.
def _label_set(name: str, custom: str) -> LabelSet:
    return parse_label_set(custom) if name == CUSTOM else load_label_set(name)


def class_names(self, context, typed: str) -> list[str]:
    """Search callback: the class names of the scene's label set that contain what was typed."""
    scene = self.id_data if isinstance(self.id_data, bpy.types.Scene) else context.scene
    try:
        entries = label_set_of(scene.spade).classes
    except SpadeError:
        return []
    return [entry.name for entry in entries if typed.casefold() in entry.name.casefold()]
