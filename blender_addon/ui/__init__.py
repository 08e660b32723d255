# SPDX-License-Identifier: GPL-3.0-or-later
"""The sidebar, tab "Backdrops"."""

from __future__ import annotations

import bpy

from ..style import thumbnails
from . import (
    class_styles_panel,
    history_panel,
    label_image_panel,
    label_panel,
    message,
    panel,
    placement_panel,
    series_panel,
    server_panel,
    style_panel,
    variations_panel,
)

_CLASSES = (
    *message.CLASSES,
    *panel.CLASSES,
    *style_panel.CLASSES,
    *class_styles_panel.CLASSES,
    *variations_panel.CLASSES,
    *history_panel.CLASSES,
    *placement_panel.CLASSES,
    *series_panel.CLASSES,
    *label_panel.CLASSES,
    *server_panel.CLASSES,
    *label_image_panel.CLASSES,
)


def register() -> None:
    for kind in _CLASSES:
        bpy.utils.register_class(kind)


def unregister() -> None:
    for kind in reversed(_CLASSES):
        bpy.utils.unregister_class(kind)
    thumbnails.forget()
