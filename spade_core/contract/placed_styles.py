# SPDX-License-Identifier: Apache-2.0
"""Styles that are for a part of a picture: for classes, for a region, or going over from side to side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .errors import BadHeaderError, BadOptionError, BadShapeError

if TYPE_CHECKING:
    from .labels import LabelSet
    from .request import PlainStyle

MOST_PLACED = 8
"""Styles beside the picture's own."""
LARGEST_SOFTNESS = 0.5


@dataclass(frozen=True, eq=False)
class PlacedStyle:
    """A style, and where a picture is painted in it: the rest is in the picture's own.

    classes: ids of the label set. region: its number in the request's region map, 1 to 255; 0 for none. peak: where
    between the left side (0) and the right (1) the picture's own style has gone over into this one, for one style at
    most; None for nowhere. A region goes before a class, and a class before what goes over.
    """

    style: PlainStyle
    classes: tuple[int, ...] = ()
    region: int = 0
    peak: float | None = None


def check_placed(placed: Sequence[PlacedStyle], softness: float, label_set: LabelSet) -> None:
    """Raises BadHeaderError; what the styles themselves are is not looked at."""
    if len(placed) > MOST_PLACED:
        raise BadHeaderError(
            f"The picture has {len(placed)} styles beside its own, {MOST_PLACED} can be painted at once.",
            "Give more classes the same style.",
        )
    known = {entry.id for entry in label_set.classes}
    for each in placed:
        if unknown := [number for number in each.classes if number not in known]:
            raise BadHeaderError(
                f"A style is for the class {unknown[0]}, which the label set '{label_set.name}' does not have.",
                "Use ids of its classes.",
            )
        if not 0 <= each.region <= 255 or not (each.peak is None or 0 <= each.peak <= 1):
            raise BadHeaderError(
                "The place of a style is not allowed here.", "Use regions of 0 to 255, and peaks of 0 to 1."
            )
    classes = [number for each in placed for number in each.classes]
    regions = [each.region for each in placed if each.region]
    peaks = [each.peak for each in placed if each.peak is not None]
    if len(set(classes)) < len(classes) or len(set(regions)) < len(regions) or len(peaks) > 1:
        raise BadHeaderError("Two styles are for the same place.", "Give each class and region one style.")
    if not 0 <= softness <= LARGEST_SOFTNESS:
        raise BadHeaderError("The softness of styles' borders is not allowed here.", "Use 0 to 0.5.")


def travelling_regions(region_map: np.ndarray, label_map: np.ndarray) -> np.ndarray:
    """A region map as it travels: C-contiguous uint8 of the label map's shape. Raises BadShapeError."""
    if region_map.shape != label_map.shape or region_map.dtype.kind not in "ui":
        raise BadShapeError(
            f"The region map is {region_map.dtype} of the shape {region_map.shape}, "
            f"the label map's is {label_map.shape}.",
            "Give one whole number for each pixel of the label map.",
        )
    if region_map.size and not 0 <= region_map.min() <= region_map.max() <= 255:
        raise BadShapeError("The region map has numbers beyond 255.", "Number regions from 1 to 255.")
    return np.ascontiguousarray(region_map, np.uint8)


def one_style_only(model: str, because: str) -> BadOptionError:
    """What to say where a model is asked for several styles in a picture. because: as of ModelInfo.one_style."""
    return BadOptionError(
        f"The model '{model}' paints all of a picture in one style: {because}.",
        "Give the whole picture one style, or use another model.",
    )
