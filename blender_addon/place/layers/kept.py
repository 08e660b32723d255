# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan and the cards of a picture, kept with it as packed images: so it can be placed again, and painted again.

All is there or nothing is: cards are kept when the last painting has come.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import bpy
import numpy as np

from ...bridge.layers import Layers
from ...bridge.sight import Projector
from ...scene.png import ids_in, png
from ..image import DIGEST, pack_file, pack_pixels
from .composing import with_picture

PLAN = "spade_layers"
"""Custom property of a picture: the numbers of its plan as JSON."""
COUNT = 3
CARDS = tuple(f"spade_layer_{number}" for number in range(COUNT))
BEHIND = tuple(f"spade_behind_{number}" for number in range(COUNT))
OWNER, REACH = "spade_layer_owner", "spade_layer_reach"
LAYER_PARTS = (*CARDS, *BEHIND, OWNER, REACH)
"""Custom properties of a picture, each points at an image."""


def keep_layers(picture: bpy.types.Image, layers: Layers, cards: list[np.ndarray]) -> None:
    """Keep the cards of a picture with it, (h, w, 4) uint8 each, the nearest first, and the plan that they are of."""
    maps = {OWNER: layers.owner, REACH: layers.reach} | dict(zip(BEHIND, layers.behind, strict=True))
    for name, ids in maps.items():
        if ids is not None:
            picture[name] = _part(ids, ".Layers", lambda ids, name: pack_file(png(ids), name))
        elif name in picture:
            del picture[name]
    for name, pixels in zip(CARDS, cards, strict=True):
        picture[name] = pack_card(pixels)
    facts = {"projector": layers.projector.to_facts(), "distances": layers.distances}
    picture[PLAN] = json.dumps(facts)
    for part in [image for image in bpy.data.images if DIGEST in image and not image.users]:
        bpy.data.images.remove(part)  # of the layers that it had before


def pack_card(pixels: np.ndarray) -> bpy.types.Image:
    """The image of a card, (h, w, 4) uint8: the file has each once."""
    return _part(pixels, ".Layer", pack_pixels)


def keep_layers_of(picture: bpy.types.Image, base: bpy.types.Image, rgb: np.ndarray) -> bool:
    """Keep with a picture, (H, W, 3) uint8, the cards of the one that it was made of; False where that has none."""
    layers = layers_in(base)
    if layers is None:
        return False
    before = [_pixels(image) for image in cards_in(base)]
    keep_layers(
        picture, layers, [with_picture(layers, number, rgb, each) for number, each in enumerate(before)]
    )
    return True


def layers_in(picture: bpy.types.Image) -> Layers | None:
    """The plan that the file keeps with a picture."""
    if len(cards_in(picture)) < COUNT or not all(_is_whole(picture.get(name)) for name in (OWNER, REACH)):
        return None
    facts = json.loads(picture[PLAN])
    owner, reach = (ids_in(bytes(picture[name].packed_file.data)) for name in (OWNER, REACH))
    behind = tuple(
        ids_in(bytes(picture[name].packed_file.data)) if _is_whole(picture.get(name)) else None
        for name in BEHIND
    )
    return Layers(Projector.from_facts(facts["projector"]), tuple(facts["distances"]), owner, reach, behind)


def cards_in(picture: bpy.types.Image) -> list[bpy.types.Image]:
    """The images of a picture's cards, the nearest first; none where it has no layers."""
    found = [picture.get(name) for name in CARDS] if PLAN in picture else []
    return found if all(found) else []


def numbers_in(picture: bpy.types.Image) -> tuple[Projector, tuple[float, ...]]:
    """From where a picture with layers was painted, and how far away its cards are."""
    facts = json.loads(picture[PLAN])
    return Projector.from_facts(facts["projector"]), tuple(facts["distances"])


def _part(pixels: np.ndarray, name: str, pack) -> bpy.types.Image:
    """A packed image of these pixels; the file has each once."""
    digest = hashlib.sha256(
        f"{pixels.shape} {pixels.dtype}".encode() + np.ascontiguousarray(pixels).tobytes()
    ).hexdigest()
    part = next((image for image in bpy.data.images if image.get(DIGEST) == digest), None)
    if part is None:
        part = pack(pixels, f"{name} {digest[:8]}")
        part[DIGEST] = digest
    return part


def _is_whole(image: bpy.types.Image | None) -> bool:
    return image is not None and image.packed_file is not None


def _pixels(image: bpy.types.Image) -> np.ndarray:
    """(h, w, 4) uint8, row 0 at the top, of a card."""
    size: Any = image.size
    width, height = size
    pixels = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(pixels)  # pyright: ignore[reportArgumentType]
    return np.rint(pixels.reshape(height, width, 4)[::-1] * 255).astype(np.uint8)
