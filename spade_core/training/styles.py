# SPDX-License-Identifier: Apache-2.0
"""The style codes that images are generated with in training: of their own photo, or of another seen lately."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .. import distributed
from ..model.style_encoder import StyleEncoder, style_at

CAPACITY = 512
"""Codes kept. The encoder moves on while they wait: at batch 4 the oldest is 128 steps old."""


@dataclass(frozen=True)
class BatchStyles:
    """The styles of a batch, and where they come from."""

    code: Tensor
    """(B, style_size)."""
    mean: Tensor | None = None
    log_variance: Tensor | None = None
    """What the encoder says of the photos, (B, style_size) float32; None without a style encoder."""
    drawn: Tensor | None = None
    """(B,) bool: whose style is another photo's."""


class StyleSampler:
    """The codes that an encoder gives photographs are not the standard normal that the KL divergence pulls them to:
    their means lie up to one and more from zero, their spreads between a quarter and one and a half. A style drawn
    from N(0, 1) therefore asks for a light that no photo has; one drawn from here does not.
    """

    def __init__(self, style_size: int, drawn_share: float) -> None:
        """drawn_share: of the images whose style is drawn in place of their own photo's."""
        self.bank = torch.zeros(0, style_size)
        """Codes of the photos seen last, (up to CAPACITY, style_size)."""
        self._drawn_share = drawn_share

    def of(self, photos: Tensor, encoder: StyleEncoder | None) -> BatchStyles:
        """photos: (B, 3, H, W) in [-1, 1]. Random numbers are torch's own, alike on every process."""
        whole = len(photos) * distributed.world_size()
        normal = distributed.local_rows(torch.randn(whole, self.bank.shape[1])).to(photos)
        if encoder is None:
            return BatchStyles(normal)
        mean, log_variance = (value.to(photos.dtype) for value in encoder(photos))
        own = style_at(mean, log_variance, normal)
        self._keep(own)
        drawn = distributed.local_rows(torch.rand(whole)).to(photos.device) < self._drawn_share
        others = self.bank[torch.randint(len(self.bank), (whole,)).to(self.bank.device)]
        code = torch.where(drawn[:, None], distributed.local_rows(others), own)
        return BatchStyles(code, mean, log_variance, drawn)

    def _keep(self, codes: Tensor) -> None:
        """codes: (B, style_size), this process's rows; the oldest of the bank go."""
        self.bank = torch.cat([self.bank.to(codes), distributed.gathered_rows(codes)])[-CAPACITY:]
