# SPDX-License-Identifier: GPL-3.0-or-later
"""The cards of a picture once all is painted: composed in a thread, then packed one at a time.

All at once they would keep Blender's main thread for most of a second.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ...bridge.layer_painting import LayerPainting
from .composing import card
from .kept import pack_card


class CardMaking:
    """Call step() often; it never waits. cards: (h, w, 4) uint8 each, the nearest first, once they are composed."""

    def __init__(self, painted: LayerPainting) -> None:
        """painted: whole."""
        self.painted = painted
        self.cards: list[np.ndarray] = []
        self._packed = 0
        thread = ThreadPoolExecutor(1, "spade cards")
        self._composed = thread.submit(_composed, painted)
        thread.shutdown(wait=False)

    def step(self) -> bool:
        """Go on; whether all are in the file, to be kept with their picture."""
        if not self._composed.done():
            return False
        self.cards = self._composed.result()
        if self._packed == len(self.cards):
            return True
        pack_card(self.cards[self._packed])
        self._packed += 1
        return False


def _composed(painted: LayerPainting) -> list[np.ndarray]:
    rgb = painted.placed.rgb
    assert rgb is not None
    return [card(painted.layers, number, rgb, each) for number, each in enumerate(painted.paintings)]
