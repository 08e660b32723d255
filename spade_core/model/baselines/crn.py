# SPDX-License-Identifier: Apache-2.0
"""Cascaded refinement: the paper's baseline without an adversary.

Chen and Koltun, "Photographic Image Synthesis with Cascaded Refinement Networks", ICCV 2017, section 3.1. The first
module starts from the label map at 4 rows; each further one doubles what the one before has made, and looks at the
label map again. Written from memory of the paper, not against its text. Chosen here: labels are picked as SPADE picks
them (nearest), and the slope of the leaky ReLU is SPADE's. Not here: several images for one label map (section 3.4).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..config import ImageGeneratorConfig
from ..interface import AfterBlock, ImageGenerator
from ..layers import LEAK, conv
from ..semantic_input import resize_labels
from ..style_map import Style

WIDTHS = (1024, 1024, 1024, 1024, 1024, 512, 512, 128, 32)
"""Feature maps of the modules of a cascade that paints 1024 rows."""


@dataclass(frozen=True)
class CrnConfig(ImageGeneratorConfig):
    """A cascade; the defaults paint 256 rows from 4. There is no spectral norm."""

    kind: ClassVar[str] = "crn"

    spectral: bool = False
    modules: int = 7
    max_width: int = 1024
    """Cap on the feature maps of a module."""

    def width(self, module: int) -> int:
        return min(WIDTHS[min(module, len(WIDTHS) - 1)], self.max_width)


class Crn(ImageGenerator[CrnConfig]):
    """A cascade of refinement modules, and a linear projection to colours."""

    def __init__(self, config: CrnConfig) -> None:
        super().__init__(config)
        widths = [config.width(module) for module in range(config.modules)]
        self.cascade = nn.ModuleList(
            RefinementModule(config.input_channels, fan_in, fan_out)
            for fan_in, fan_out in zip([0, *widths], widths, strict=False)
        )
        self.colours = nn.Conv2d(widths[-1], 3, 1)

    @property
    def block_count(self) -> int:
        return len(self.cascade)

    @property
    def multiple(self) -> int:
        return 2 ** (self.config.modules - 1)

    def forward(
        self,
        labels: Tensor,
        style: Style | None = None,
        noise: list[Tensor] | None = None,
        after_block: AfterBlock | None = None,
    ) -> Tensor:
        """As ImageGenerator.forward; there is no style and no noise. The colours are a linear map of the last features,
        cut to [-1, 1] except in training."""
        rows, columns = (-(-side // self.multiple) for side in labels.shape[-2:])
        x = labels.new_zeros(len(labels), 0, rows, columns)
        for index, module in enumerate(self.cascade):
            if index:
                # No transposed convolutions, which leave a grid in the picture.
                x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            x = module(x, resize_labels(labels, *x.shape[-2:]))
            if after_block is not None:
                after_block(index)
        image = self.colours(x)
        return image if self.training else image.clamp(-1, 1)


class RefinementModule(nn.Module):
    """Two 3x3 convolutions, each with layer norm and leaky ReLU, on features beside labels."""

    def __init__(self, label_channels: int, fan_in: int, fan_out: int) -> None:
        super().__init__()
        self.conv_0 = conv(fan_in + label_channels, fan_out, 3)
        self.conv_1 = conv(fan_out, fan_out, 3)
        # Layer norm over features and places, with a scale and shift a feature.
        self.norm_0, self.norm_1 = nn.GroupNorm(1, fan_out), nn.GroupNorm(1, fan_out)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        """x: (B, fan_in, h, w); labels: (B, label_channels, h, w). Returns (B, fan_out, h, w)."""
        x = torch.cat([x, labels.to(x.dtype)], dim=1)
        x = F.leaky_relu(self.norm_0(self.conv_0(x)), LEAK)
        return F.leaky_relu(self.norm_1(self.conv_1(x)), LEAK)
