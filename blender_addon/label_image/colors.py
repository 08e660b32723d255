# SPDX-License-Identifier: GPL-3.0-or-later
"""Class ids as colours, and back: every class has a colour of its own, whatever the label set says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np

from ..contract.errors import BadLabelError
from ..contract.labels import LabelSet

TOLERANCE = 3
"""How far each of red, green and blue may be off, 0..255, and it is still that colour: editors round."""
MOST_STRANGE = 0.5
"""An image of which a larger share has no class's colour is no label map."""
Rgb = tuple[int, int, int]


@dataclass(frozen=True)
class ReadLabels:
    """`label_map`: (H, W) ids, row 0 at the top. `strange`: how much of it, 0..1, had no class's colour and was read as
    that of the nearest. `example`: the commonest of those colours, "#RRGGBB"; empty where there is none."""

    label_map: np.ndarray
    strange: float
    example: str


@lru_cache(maxsize=8)  # Panels ask at every redraw.
def paint_colors(label_set: LabelSet) -> Mapping[int, Rgb]:
    """The colour to paint each id with, the ignore id's (black) too. Colours that repeat in the set are told apart."""
    wanted: dict[int, Rgb] = {entry.id: entry.rgb for entry in label_set.classes}
    wanted.setdefault(label_set.ignore_id, (0, 0, 0))
    kept: list[Rgb] = list(dict.fromkeys(wanted.values()))
    found: dict[int, Rgb] = {}
    given: set[Rgb] = set()
    for class_id, rgb in wanted.items():
        if rgb in given:
            rgb = _free_near(rgb, np.array(kept))
            kept.append(rgb)
        found[class_id] = rgb
        given.add(rgb)
    return found


def colorized(label_map: np.ndarray, label_set: LabelSet) -> np.ndarray:
    """A map of ids in the colours to paint with: (H, W, 3) uint8."""
    colors = paint_colors(label_set)
    palette = np.zeros((max(colors) + 1, 3), np.uint8)
    for class_id, rgb in colors.items():
        palette[class_id] = rgb
    return palette[label_set.check(label_map)]


def read_labels(rgb: np.ndarray, label_set: LabelSet) -> ReadLabels:
    """The ids of (H, W, 3) uint8 colours, each pixel's the class whose colour is nearest.

    Raises BadLabelError where most of it has no class's colour.
    """
    colors = paint_colors(label_set)
    packed, order = _packed_palette(colors)
    pixels = _pack(rgb)
    at = np.searchsorted(packed, pixels).clip(0, len(packed) - 1)
    ids = order[at]
    off = packed[at] != pixels
    strange, example = 0.0, ""
    if off.any():
        others, inverse, counts = np.unique(pixels[off], return_inverse=True, return_counts=True)
        nearest, is_strange = _nearest(others, colors)
        ids[off] = nearest[inverse]
        counts = np.where(is_strange, counts, 0)
        strange = float(counts.sum()) / pixels.size
        example = f"#{int(others[counts.argmax()]):06X}" if strange else ""
    if strange > MOST_STRANGE:
        raise BadLabelError(
            f"This image is no label map: {strange:.0%} of it has colours of no class.",
            "Paint with the colours of the classes, or start from a new label map.",
        )
    return ReadLabels(ids.astype(label_set.dtype), strange, example)


def _free_near(rgb: Rgb, taken: np.ndarray) -> Rgb:
    """A colour that cannot be mistaken for one of those taken, (N, 3): most like this in red, then in green."""
    step = 2 * TOLERANCE + 1
    for red, green, blue in product(range(0, 256, step), repeat=3):
        color = (rgb[0] + red) % 256, (rgb[1] + green) % 256, (rgb[2] + blue) % 256
        if (np.abs(taken - color).max(axis=1) >= step).all():
            return color
    raise BadLabelError("The label set has more classes than colours.", "Use a smaller label set.")


def _pack(rgb: np.ndarray) -> np.ndarray:
    wide = rgb.astype(np.uint32)
    return wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]


def _packed_palette(colors: Mapping[int, Rgb]) -> tuple[np.ndarray, np.ndarray]:
    """The colours as numbers in their order, and the id of each."""
    packed = _pack(np.array(list(colors.values()), np.uint8))
    order = np.argsort(packed)
    return packed[order], np.array(list(colors))[order]


def _nearest(packed: np.ndarray, colors: Mapping[int, Rgb]) -> tuple[np.ndarray, np.ndarray]:
    """For colours as numbers: the ids of the nearest, and whether they are further off than the tolerance."""
    palette = np.array(list(colors.values()), np.int32)
    nearest, is_strange = np.empty(len(packed), np.int64), np.empty(len(packed), np.bool_)
    for start in range(0, len(packed), 65536):  # a photo has millions
        part = packed[start : start + 65536]
        rgb = np.stack([part >> 16, part >> 8 & 255, part & 255], axis=-1).astype(np.int32)
        apart = rgb[:, None] - palette[None]
        best = (apart**2).sum(axis=-1).argmin(axis=1)
        nearest[start : start + len(part)] = np.array(list(colors))[best]
        is_strange[start : start + len(part)] = (
            np.abs(apart[np.arange(len(part)), best]).max(axis=-1) > TOLERANCE
        )
    return nearest, is_strange
