# SPDX-License-Identifier: GPL-3.0-or-later
"""Painted labels are saved with the file: Blender would leave what was painted since an image was packed."""

from __future__ import annotations

import bpy

from .image import is_label_image


@bpy.app.handlers.persistent
def _pack_painted(*_) -> None:
    for image in bpy.data.images:
        if is_label_image(image) and image.is_dirty and image.has_data:
            image.pack()


def register() -> None:
    bpy.app.handlers.save_pre.append(_pack_painted)


def unregister() -> None:
    bpy.app.handlers.save_pre.remove(_pack_painted)
