# SPDX-License-Identifier: GPL-3.0-or-later
"""A part of a picture, painted once more: what lies outside it and its feather is the old picture, to the byte."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Repaint:
    """base: (H, W, 3) uint8, the picture that stays. share: (H, W) uint8, 255 where all is new, 0 where all is old.
    base_name: of its image in the file."""

    base: np.ndarray
    share: np.ndarray
    base_name: str

    @property
    def digest(self) -> str:
        """Of picture and part, in short."""
        return hashlib.sha256(self.base.tobytes() + self.share.tobytes()).hexdigest()[:16]

    def composited(self, rgb: np.ndarray) -> np.ndarray:
        """The old picture with the new one, (H, W, 3) uint8, in the part."""
        share = self.share[..., None].astype(np.uint16)
        return ((self.base * (255 - share) + rgb * share + 127) // 255).astype(np.uint8)


def feathered(mask: np.ndarray, width: int) -> np.ndarray:
    """A mask, (H, W) bool, as shares of 0 to 255: 255 inside, and falling to nothing over `width` pixels outside."""
    share = np.where(mask, 255, 0).astype(np.uint8)
    reached = mask
    for step in range(1, width):
        reached = _grown(reached)
        fresh = reached & (share == 0)
        share[fresh] = round(255 * (1 - step / width))
    return share


def _grown(mask: np.ndarray) -> np.ndarray:
    """With its neighbours above, below, left and right."""
    grown = mask.copy()
    grown[1:] |= mask[:-1]
    grown[:-1] |= mask[1:]
    grown[:, 1:] |= mask[:, :-1]
    grown[:, :-1] |= mask[:, 1:]
    return grown
