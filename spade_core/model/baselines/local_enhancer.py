# SPDX-License-Identifier: Apache-2.0
"""pix2pixHD's local enhancer: a second, outer generator that doubles the resolution of the global one.

Wang et al., CVPR 2018, section 3.1 and figure 3: the outer encoder works on the full label map, the global generator on
one of half the size; the features of both are added before the outer residual blocks, and the global generator's own
image is not made. In the paper the global generator is trained alone first. Chosen here: the half-size map picks pixels
(nearest), so that labels stay labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from ..interface import AfterBlock, ImageGenerator
from ..semantic_input import resize_labels
from ..style_map import Style
from .pix2pixhd import EncoderDecoderConfig, NormedConv, ResidualBlock, block_count, global_generator, run


@dataclass(frozen=True)
class LocalEnhancerConfig(EncoderDecoderConfig):
    """One enhancer around a global generator, whose options these are; the enhancer is half as wide."""

    kind: ClassVar[str] = "pix2pixhd-enhanced"

    local_blocks: int = 3


class LocalEnhancer(ImageGenerator[LocalEnhancerConfig]):
    """Outer encoder, sum with the global generator's last features, residual blocks, outer decoder."""

    def __init__(self, config: LocalEnhancerConfig) -> None:
        super().__init__(config)
        outer, inner = config.base_width // 2, config.base_width
        without_image = 3
        self.model = nn.Sequential(*list(global_generator(config))[:-without_image])
        first = nn.Conv2d(config.input_channels, outer, config.first_kernel, bias=False)
        down = nn.Conv2d(outer, inner, 3, stride=2, padding=1, bias=False)
        up = nn.ConvTranspose2d(inner, outer, 3, stride=2, padding=1, output_padding=1, bias=False)
        self.encoder = nn.Sequential(
            nn.ReflectionPad2d(config.first_kernel // 2),
            NormedConv(config, first),
            nn.ReLU(),
            NormedConv(config, down),
            nn.ReLU(),
        )
        self.decoder = nn.Sequential(
            *(ResidualBlock(config, inner) for _ in range(config.local_blocks)),
            NormedConv(config, up),
            nn.ReLU(),
            nn.ReflectionPad2d(3),
            nn.Conv2d(outer, 3, 7),
            nn.Tanh(),
        )

    @property
    def block_count(self) -> int:
        return sum(block_count(part) for part in (self.model, self.encoder, self.decoder))

    @property
    def multiple(self) -> int:
        return 2 ** (self.config.downsamplings + 1)

    @property
    def smallest_side(self) -> int:
        return self.multiple * (1 + self.config.block_kernel // 2)

    def forward(
        self,
        labels: Tensor,
        style: Style | None = None,
        noise: list[Tensor] | None = None,
        after_block: AfterBlock | None = None,
    ) -> Tensor:
        """As ImageGenerator.forward; there is no style and no noise."""
        height, width = labels.shape[-2:]
        half = resize_labels(labels, height // 2, width // 2)
        inner, outer = block_count(self.model), block_count(self.encoder)
        x = run(self.model, half, half, after_block)
        x = x + run(self.encoder, labels, labels, after_block, inner)
        return run(self.decoder, x, labels, after_block, inner + outer)
