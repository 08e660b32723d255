# SPDX-License-Identifier: Apache-2.0
"""Class-adaptive normalisation: SPADE's scale and shift, looked up by class in place of computed by convolutions.

Tan et al., "Efficient Semantic Image Synthesis via Class-Adaptive Normalization", TPAMI 2021, section 3: most of what
SPADE gains comes from knowing the class, little from the place. Label convolutions are most of SPADE's work at the fine
stages, so this is the fast kind of decoder. The paper's positional variant (CLADE-ICPE) is not here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import DecoderConfig
from .decoder import Decoder, ResBlock
from .norms import param_free_norm
from .style_map import Style

SPREAD = 0.1
"""Standard deviation of the first scales and shifts (our choice): classes differ from the first step on."""


@dataclass(frozen=True)
class CladeConfig(DecoderConfig):
    """The decoder with class-adaptive norms.

    An instance edge adds a scale and shift of its own to those of its pixel's class (our choice: the same linear map
    of the input channels that the lookup is for the classes).
    """

    kind: ClassVar[str] = "clade"


class CladeDecoder(Decoder[CladeConfig]):
    """The paper's generator, but every norm looks its scale and shift up."""

    def block(self, fan_in: int, fan_out: int, step: int) -> ResBlock:
        return CladeResBlock(self.config, fan_in, fan_out)


class CladeResBlock(ResBlock):
    """With class-adaptive norms."""

    def __init__(self, config: CladeConfig, fan_in: int, fan_out: int) -> None:
        super().__init__(config, fan_in, fan_out)
        self.classes = config.label_channels
        self.add_norms(lambda channels: CladeNorm(config, channels), fan_in, fan_out)

    def seen(self, labels: Tensor, style: Style | None) -> Tensor:
        """(B, h, w) rows of the norms' tables: the class, and as many further where there is an edge."""
        rows = labels[:, : self.classes].argmax(dim=1)
        if labels.shape[1] > self.classes:
            rows = rows + self.classes * labels[:, self.classes].long()
        return rows


class CladeNorm(nn.Module):
    """out = N(x) * (1 + gamma[class]) + beta[class]"""

    def __init__(self, config: CladeConfig, channels: int) -> None:
        super().__init__()
        self.edges = config.instance_edges
        self.param_free_norm = param_free_norm(config.norm, channels)
        self.gamma_beta = nn.Parameter(torch.empty(config.input_channels, 2 * channels).normal_(std=SPREAD))

    def forward(self, x: Tensor, rows: Tensor) -> Tensor:
        """x: (B, C, h, w); rows: (B, h, w) as CladeResBlock.seen gives them. Returns (B, C, h, w)."""
        normed = self.param_free_norm(x)
        looked_up = F.embedding(rows, self.table().to(normed.dtype))
        gamma, beta = looked_up.permute(0, 3, 1, 2).chunk(2, dim=1)
        return torch.addcmul(normed + beta, normed, gamma)

    def table(self) -> Tensor:
        """(classes, 2C): gamma and beta of every class; with edges (2 classes, 2C): then those of each on an edge."""
        if not self.edges:
            return self.gamma_beta
        classes, edge = self.gamma_beta[:-1], self.gamma_beta[-1]
        return torch.cat([classes, classes + edge])
