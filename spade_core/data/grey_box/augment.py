# SPDX-License-Identifier: Apache-2.0
"""Label maps as blocked-out scenes have them: straight ridges, lollipop trees, no small detail.

A model that has only seen the label maps of photos paints their ragged borders well and a grey box badly. So some
label maps are blocked out in training, against the photo as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...contract.labels import LabelSet
from .borders import Borders
from .primitives import Primitive, primitives_of
from .regions import regions, without_small

_MOST_PRIMITIVES = 6
"""Regions a map, the largest first: what is left is small."""


@dataclass(frozen=True)
class GreyBox:
    """How many label maps are blocked out, and how far.

    share: of the label maps, 0..1. strength: each of them draws its own from 0 to this; at 1 lines leave their course
    by up to 5% of the picture's side and regions under 2.5% of the picture are gone. primitives: the share of them in
    which trees, buildings and mountains become lollipops, boxes and cones.
    """

    share: float = 0.5
    strength: float = 1.0
    primitives: float = 0.4

    def for_labels(self, label_set: LabelSet) -> GreyBoxAugmentation:
        """The augmentation for label maps of this set."""
        return GreyBoxAugmentation(self, primitives_of(label_set))


@dataclass(frozen=True)
class GreyBoxAugmentation:
    """A `GreyBox` for one label set."""

    config: GreyBox
    makers: dict[int, Primitive]

    def apply(self, label_map: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """The (H, W) map itself, or blocked out, as `random` decides."""
        if random.random() >= self.config.share:
            return label_map
        strength = self.config.strength * random.uniform(0.0, 1.0)
        shapes = bool(random.random() < self.config.primitives)
        return blocked_out(label_map, strength, random, self.makers if shapes else {})


def blocky(label_map: np.ndarray, seed: int, label_set: LabelSet | None = None) -> np.ndarray:
    """A label map as a blocked-out scene would have it: the same for the same seed, for evaluation.

    label_map: (H, W) integers. With its label set, trees, buildings and mountains become primitives too.
    """
    makers = primitives_of(label_set) if label_set else {}
    return blocked_out(label_map, 0.7, np.random.default_rng((seed, 0xB10C)), makers, rounded=False)


def blocked_out(
    label_map: np.ndarray,
    strength: float,
    random: np.random.Generator,
    makers: dict[int, Primitive],
    rounded: bool | None = None,
) -> np.ndarray:
    """label_map: (H, W) integers; returns another one of the same ids, none of them new.

    strength: 0 (nearly as it was) to 1. makers: the classes whose regions become primitives. rounded: borders are
    smoothed and not straightened; None draws one of the two.
    """
    side = min(label_map.shape)
    smallest = (0.001 + 0.024 * strength * strength) * label_map.size
    region, ids = regions(without_small(label_map, round(smallest)))
    borders = Borders.of(region)
    if random.random() < 0.3 if rounded is None else rounded:
        borders = borders.smoothed(side * (0.005 + 0.035 * strength))
    else:
        borders = borders.straightened(side * (0.006 + 0.044 * strength))
    region = borders.painted()
    blocked = ids[region]
    areas = np.bincount(region.ravel(), minlength=ids.size)
    made = [index for index in np.argsort(-areas).tolist() if int(ids[index]) in makers and areas[index]]
    for index in made[:_MOST_PRIMITIVES]:
        _put(blocked, region == index, makers[int(ids[index])], ids[index], random)
    return blocked


def _put(
    blocked: np.ndarray,
    region: np.ndarray,
    maker: Primitive,
    class_id: np.integer,
    random: np.random.Generator,
) -> None:
    """Replace one region by its primitives.

    What they leave of it goes, in each column, to what is above the region where it lies over them, as past a roof, and
    to what is below it where they lie over it, as between trunks; at the picture's edge, where there is neither, it
    stays.
    """
    mask = maker(region, random)
    left = region & ~mask
    columns = np.flatnonzero(left.any(axis=0))
    if columns.size and mask.any():
        strip, part = blocked[:, columns], region[:, columns]
        height = len(strip)
        rows = np.arange(height, dtype=np.int32)[:, None]
        above = np.maximum.accumulate(np.where(part, -1, rows), axis=0)
        below = np.minimum.accumulate(np.where(part, height, rows)[::-1], axis=0)[::-1]
        source = np.where(np.maximum.accumulate(mask[:, columns], axis=0), below, above)
        source = np.where(left[:, columns] & (source >= 0) & (source < height), source, rows)
        blocked[:, columns] = np.take_along_axis(strip, source, axis=0)
    blocked[mask] = class_id
