# SPDX-License-Identifier: Apache-2.0
"""The style codes of photos seen lately: what a picture without a style of its own is painted in."""

from __future__ import annotations

import torch
from torch import Tensor

from .. import distributed

CAPACITY = 512
"""Codes kept. The encoder moves on while they wait: at batch 4 the oldest is 128 steps old."""


class StyleBank:
    """The codes that an encoder gives photographs are not the standard normal that the KL divergence pulls them to:
    their means lie up to one and more from zero, their spreads between a quarter and one and a half. A style drawn
    from N(0, 1) therefore asks for a light that no photo has; one drawn from here does not.
    """

    def __init__(self, style_size: int) -> None:
        self.codes = torch.zeros(0, style_size)

    def add(self, codes: Tensor) -> None:
        """codes: (B, style_size), this process's rows; the oldest go."""
        self.codes = torch.cat([self.codes.to(codes), distributed.gathered_rows(codes)])[-CAPACITY:]

    def draw(self, count: int) -> Tensor:
        """(count, style_size) codes, alike on every process, by torch's own random numbers."""
        return self.codes[torch.randint(len(self.codes), (count,)).to(self.codes.device)]
