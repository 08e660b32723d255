# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking the server for pictures of a model's styles."""

from __future__ import annotations

import numpy as np

from ..contract.client import Event
from ..contract.messages import Thumbnails
from .question import Question


class ThumbnailQuestion(Question):
    """digest: the model's. rgb: the answer, (N, H, W, 3) uint8, in the order of its styles."""

    about = "pictures of its model's styles"
    rgb: np.ndarray | None = None

    @property
    def has_ended(self) -> bool:
        return self.rgb is not None or self.error is not None

    def _ask(self, question: str) -> str:
        return self._client.ask_thumbnails(self.digest, question)

    def _take(self, answer: Event) -> None:
        assert isinstance(answer, Thumbnails)
        self.rgb = answer.rgb
