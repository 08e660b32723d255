# SPDX-License-Identifier: Apache-2.0
"""Which style each pixel of a picture is painted in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..contract.placed_styles import PlacedStyle


@dataclass(frozen=True, eq=False)
class PlacedCodes:
    """codes: (K, style_size) float32, first the picture's own. numbers: (H, W) uint8, which of them a pixel has.
    softness: as in PictureRequest. goes_over: the number of the code that the picture's own goes over into, and where
    it has, 0 to 1 from the left side to the right; None where it stays."""

    codes: np.ndarray
    numbers: np.ndarray
    softness: float = 0.0
    goes_over: tuple[int, float] | None = None

    def simplified(self) -> PlacedCodes | np.ndarray:
        """The one code that all of the picture has, (style_size,), where that is so."""
        used = np.unique(self.numbers)
        if self.goes_over is not None and used[0] == 0:
            used = np.union1d(used, self.goes_over[0])
        return self.codes[used[0]] if (self.codes[used] == self.codes[used[0]]).all() else self


def numbers_of(
    label_map: np.ndarray, placed: tuple[PlacedStyle, ...], region_map: np.ndarray | None
) -> np.ndarray:
    """(H, W) uint8: 0 for the picture's own style, n for placed[n - 1]. label_map: (H, W) ids."""
    of_class = np.zeros(int(label_map.max(initial=0)) + 1, np.uint8)
    of_region = np.zeros(256, np.uint8)
    for number, each in enumerate(placed, 1):
        of_class[[class_id for class_id in each.classes if class_id < len(of_class)]] = number
        if each.region:
            of_region[each.region] = number
    numbers = of_class[label_map]
    if region_map is None:
        return numbers
    regions = of_region[region_map]
    return np.where(regions > 0, regions, numbers)
