# SPDX-License-Identifier: Apache-2.0
"""Which class does each pixel of a picture show? What mIoU and pixel accuracy rest on.

Our own segmenter is a small pyramid decoder on frozen EfficientNet-Lite2 features, trained on real pairs. It shares
nothing with the discriminator of a training, which rests on Lite0.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from torch import Tensor


class Segmenter(ABC):
    """Pictures to classes."""

    title: str
    """What it is, for people."""
    known_classes: np.ndarray
    """(classes,) bool: which classes of the label set it can tell at all."""

    side: int
    """Short side of a picture, in pixels, at which it sees best."""

    @abstractmethod
    def shares(self, picture: np.ndarray) -> Tensor:
        """picture: (H, W, 3) uint8, with sides of multiples of 32.

        Returns (classes + 1, h, w) float at a resolution of its own: how likely each class of the label set is, and at
        the end none of them; they add up to 1.
        """

    @abstractmethod
    def predict(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """pictures: (H, W, 3) uint8, all of one size.

        Returns (B, H, W) int64: the index of the class among the label set's classes, -1 for none of them.
        """
