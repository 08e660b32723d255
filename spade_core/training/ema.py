# SPDX-License-Identifier: Apache-2.0
"""The running average of generator and style encoder: what is served."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import nn

from ..checkpoint.folding import plain_state
from ..model.interface import ImageGenerator
from ..model.style_encoder import StyleEncoder


class EMA:
    """Weights with every spectral norm folded in."""

    def __init__(self, generator: ImageGenerator[Any], encoder: StyleEncoder | None) -> None:
        """generator: of the served configuration, in eval mode; its weights come with the first follow."""
        self.generator = generator
        self.encoder = None if encoder is None else _plain_copy(encoder)

    @torch.no_grad()
    def update(self, generator: nn.Module, encoder: nn.Module | None, decay: float) -> None:
        """Keep `decay` of what there is and take the rest from the live networks."""
        pairs = [(self.generator.state_dict(), plain_state(generator))]
        if self.encoder is not None and encoder is not None:
            pairs.append((self.encoder.state_dict(), plain_state(encoder)))
        for averaged, live in pairs:
            for name, value in live.items():
                if value.dtype.is_floating_point:
                    averaged[name].lerp_(value, 1 - decay)
                else:
                    averaged[name].copy_(value)


def _plain_copy(encoder: StyleEncoder) -> StyleEncoder:
    """Without spectral norms, in eval mode; its weights take no gradient, what it reads styles from may."""
    with torch.device("meta"):
        copy = StyleEncoder(replace(encoder.config, spectral=False))
    weights = {name: value.clone() for name, value in plain_state(encoder).items()}
    copy.load_state_dict(weights, assign=True)
    return copy.eval().requires_grad_(False)
