# SPDX-License-Identifier: GPL-3.0-or-later
"""Undo never loses a picture: one that an undo, or a redo, would take out of the file is put back into it.

It is then in the file as any earlier picture is, in nobody's use and with a fake user: saved with it, and placed again
from the menu. Only pictures that the file had before the step come back: what users delete stays deleted.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import bpy
from bpy.app.handlers import persistent

from .image import PROVENANCE, generated_images
from .painting import is_painting


@dataclass(frozen=True)
class _Kept:
    """A picture as the file has it. content: its packed file."""

    name: str
    provenance: str
    color_space: str
    content: bytes


_before: dict[str, _Kept] = {}  # the file's pictures, by how they were made


@persistent
def on_step_begins(*_: object) -> None:
    """Before undo or redo."""
    known = dict(_before)
    _before.clear()
    for image in generated_images():
        made = image[PROVENANCE]
        if image.packed_file is not None and not is_painting(image):
            space = image.colorspace_settings.name
            # Pictures do not change: their content is copied out of the file once.
            content = known[made].content if made in known else bytes(image.packed_file.data)
            _before[made] = _Kept(image.name, made, space, content)


@persistent
def on_step_ended(*_: object) -> None:
    """After undo or redo."""
    there = {image[PROVENANCE] for image in generated_images()}
    for made, kept in _before.items():
        if made not in there:
            _put_back(kept)


@persistent
def on_load(*_: object) -> None:
    """Another file has pictures of its own."""
    _before.clear()


def _put_back(kept: _Kept) -> None:
    with tempfile.TemporaryDirectory(prefix="spade-") as folder:
        file = Path(folder) / "picture.png"
        file.write_bytes(kept.content)
        image = bpy.data.images.load(str(file))
        image.name = kept.name
        image.colorspace_settings.name = kept.color_space
        image.alpha_mode = "NONE"
        image.pack()
        image.filepath_raw = ""
    image.use_fake_user = True
    image[PROVENANCE] = kept.provenance


_HANDLERS = {
    "undo_pre": on_step_begins,
    "redo_pre": on_step_begins,
    "undo_post": on_step_ended,
    "redo_post": on_step_ended,
    "load_pre": on_load,
}


def register() -> None:
    for name, handler in _HANDLERS.items():
        getattr(bpy.app.handlers, name).append(handler)


def unregister() -> None:
    for name, handler in _HANDLERS.items():
        handlers = getattr(bpy.app.handlers, name)
        if handler in handlers:
            handlers.remove(handler)
    _before.clear()
