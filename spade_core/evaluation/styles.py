# SPDX-License-Identifier: Apache-2.0
"""Where the styles of an evaluation's pictures come from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..contract.errors import BadOptionError
from ..synthesis.synthesizer import Synthesizer
from .scenes import Scenes


class Styles(Protocol):
    """A style code for every number, the same one each time."""

    @property
    def description(self) -> str:
        """What a picture's seed draws, for people."""
        ...

    def code(self, model: Synthesizer, number: int, label_map: np.ndarray) -> np.ndarray | None:
        """(style_size,) float32, of a picture of the label map; None for a model without styles."""
        ...


class DrawnStyles:
    """As the model's own seeds draw them: from its style bank, or from the standard normal."""

    description = "its style and noise"

    def code(self, model: Synthesizer, number: int, label_map: np.ndarray) -> np.ndarray | None:
        return model.style_from_seed(number, label_map) if model.style_size else None


@dataclass(frozen=True)
class PhotoStyles:
    """Those of photos: what the model's encoder says of a random one of them."""

    photos: Scenes

    description = "its noise, and the reference photo whose style it has"

    def code(self, model: Synthesizer, number: int, label_map: np.ndarray) -> np.ndarray | None:
        """Raises BadImageError for a photo that cannot be read."""
        if not model.style_size:
            return None
        place = np.random.default_rng(number % 2**63).integers(len(self.photos))
        return model.encode_style(self.photos[int(place)].photo)


def refuse_without_encoder(models: Iterable[Synthesizer]) -> None:
    """Raises BadOptionError for a model that has styles, but cannot tell a photo's."""
    for model in models:
        if model.style_size and not model.has_style_encoder:
            raise BadOptionError(
                f"The model '{model.name}' has no style encoder, so it cannot take its styles from photos.",
                "Leave --styles out.",
            )
