# SPDX-License-Identifier: GPL-3.0-or-later
"""Undo never loses a result: a picture that an undo, or a redo, would take out of the file is put back into it.

It is then in the file as any earlier picture is, in nobody's use and with a fake user: saved with it, and placed again
from the history. Only pictures that the file had before the step come back: what users delete stays deleted, also where
they redo a deletion that they had undone.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import bpy
from bpy.app.handlers import persistent

from .. import handlers
from ..place.image import PROVENANCE, pack_file
from ..place.layers.kept import LAYER_PARTS, PLAN
from ..place.projection.bare import MEANS
from ..place.projection.sights import PROJECTOR
from .parts import DIGEST, LABEL_SET, parts_of
from .records import FAVOURITE, removed, results

_FACTS = (PROVENANCE, DIGEST, LABEL_SET, FAVOURITE, PROJECTOR, MEANS, PLAN)


@dataclass(frozen=True)
class _Kept:
    """An image as the file has it. content: its packed file. parts: what it points at, by custom property, by key."""

    name: str
    color_space: str
    alpha_mode: str
    content: bytes
    facts: dict[str, Any]
    parts: dict[str, str]
    thumbnail: tuple[tuple[int, int], list[int]] | None


_before: dict[str, _Kept] = {}  # the file's pictures and their parts, by their keys


@persistent
def on_step_begins(*_: object) -> None:
    """Before undo or redo."""
    known = dict(_before)
    _before.clear()
    for picture in results():
        for image in (*parts_of(picture).values(), picture):
            if image.packed_file is not None and _key(image) not in _before:
                _before[_key(image)] = _kept(image, known.get(_key(image)))


@persistent
def on_undone(*_: object) -> None:
    _put_back(_before)


@persistent
def on_redone(*_: object) -> None:
    _put_back(_before.keys() - removed)


@persistent
def on_load(*_: object) -> None:
    """Another file has pictures of its own."""
    _before.clear()
    removed.clear()


def _key(image: bpy.types.Image) -> str:
    return image.get(PROVENANCE) or image[DIGEST]


def _kept(image: bpy.types.Image, known: _Kept | None) -> _Kept:
    """What to make the image of again. known: the same at an earlier step; its content is copied once."""
    assert image.packed_file is not None
    return _Kept(
        name=image.name,
        color_space=image.colorspace_settings.name,
        alpha_mode=image.alpha_mode,
        content=known.content if known else bytes(image.packed_file.data),
        facts={name: image[name] for name in _FACTS if name in image},
        parts={name: _key(part) for name, part in parts_of(image).items()},
        thumbnail=known.thumbnail if known else _pixels_of(image.preview),
    )


def _pixels_of(preview: Any) -> tuple[tuple[int, int], list[int]] | None:
    if preview is None or not preview.is_image_custom:
        return None
    return tuple(preview.image_size), list(preview.image_pixels)


def _put_back(keys: Collection[str]) -> None:
    """Make the pictures of these keys again that are not there any more, and the layers of those that lost theirs."""
    there = {_key(image): image for image in bpy.data.images if PROVENANCE in image or DIGEST in image}
    for key, kept in _before.items():
        if key not in keys or PROVENANCE not in kept.facts:
            continue
        if key not in there:
            _make(kept, there)
        elif PLAN in kept.facts and PLAN not in there[key]:
            there[key][PLAN] = kept.facts[PLAN]
            for name in kept.parts.keys() & set(LAYER_PARTS):
                there[key][name] = _part(kept.parts[name], there)


def _make(kept: _Kept, there: dict[str, bpy.types.Image]) -> bpy.types.Image:
    """Make an image again, and before it what it points at."""
    image = pack_file(kept.content, kept.name)
    image.colorspace_settings.name, image.alpha_mode = kept.color_space, kept.alpha_mode
    for name, fact in kept.facts.items():
        image[name] = fact
    there[_key(image)] = image
    image.use_fake_user = PROVENANCE in image
    for name, key in kept.parts.items():
        image[name] = _part(key, there)
    if kept.thumbnail is not None:
        preview = image.preview_ensure()
        preview.image_size, preview.image_pixels = kept.thumbnail
    return image


def _part(key: str, there: dict[str, bpy.types.Image]) -> bpy.types.Image:
    return there.get(key) or _make(_before[key], there)


_HANDLERS = {
    "undo_pre": on_step_begins,
    "redo_pre": on_step_begins,
    "undo_post": on_undone,
    "redo_post": on_redone,
    "load_pre": on_load,
}


def register() -> None:
    handlers.add(_HANDLERS)


def unregister() -> None:
    handlers.remove(_HANDLERS)
    on_load()
