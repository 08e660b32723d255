# SPDX-License-Identifier: Apache-2.0
"""The decoder: a start grid, residual blocks between doublings, an image (paper, figure 4 right and figure 12)."""

from __future__ import annotations

from abc import abstractmethod
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import DecoderConfig, GeneratorConfig
from .interface import AfterBlock, ImageGenerator
from .residual import ResBlock, SpadeResBlock
from .spade import LEAK, conv, resize_labels

Config = TypeVar("Config", bound=DecoderConfig)


class Decoder(ImageGenerator[Config]):
    """Every kind of decoder: they differ in their blocks."""

    @abstractmethod
    def block(self, fan_in: int, fan_out: int, step: int) -> ResBlock:
        """A block; step: how many times the feature map has been doubled when it reaches it."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        width, top = config.width, config.width(16)
        if config.start == "style":
            if config.start_grid is None:
                raise ValueError("a start from the style code alone needs a start grid")
            rows, columns = config.start_grid
            self.fc: nn.Module = nn.Linear(config.style_size, top * rows * columns)
        else:
            self.fc = conv(config.input_channels, top, 3)
        self.style_start = nn.Linear(config.style_size, top) if config.start == "labels+style" else None

        extra = int(config.upsampling in ("more", "most"))
        self.head_0 = self.block(top, top, 0)
        self.G_middle_0 = self.block(top, top, 1)
        self.G_middle_1 = self.block(top, top, 1 + extra)
        self.up_0 = self.block(top, width(8), 2 + extra)
        self.up_1 = self.block(width(8), width(4), 3 + extra)
        self.up_2 = self.block(width(4), width(2), 4 + extra)
        self.up_3 = self.block(width(2), width(1), 5 + extra)
        last = width(1)
        self.up_4 = None
        if config.upsampling == "most":
            last = config.width(0.5)
            self.up_4 = self.block(width(1), last, 7)
        self.conv_img = conv(last, 3, 3)
        if config.replicate_padding:
            for layer in self.modules():
                if isinstance(layer, nn.Conv2d) and layer.kernel_size != (1, 1):
                    layer.padding_mode = "replicate"

    @property
    def block_count(self) -> int:
        return len(self.blocks())

    @property
    def multiple(self) -> int:
        return 2**self.config.steps

    @property
    def smallest_side(self) -> int:
        # A single pixel has no spread that an instance norm could bring to one.
        return self.multiple * (2 if self.config.norm == "instance" else 1)

    @property
    def fixed_size(self) -> tuple[int, int] | None:
        if self.config.start_grid is None:
            return None
        rows, columns = self.config.start_grid
        return rows * self.multiple, columns * self.multiple

    def grid(self, height: int, width: int) -> tuple[int, int]:
        """(rows, columns) of the start for a label map of this size; the image is 2**steps times that."""
        if self.config.start_grid is not None:
            return self.config.start_grid
        return max(1, -(-height // self.multiple)), max(1, -(-width // self.multiple))

    def blocks(self) -> list[tuple[int, ResBlock]]:
        """(doublings before it, block), in order."""
        extra = int(self.config.upsampling in ("more", "most"))
        named = [
            (0, self.head_0), (1, self.G_middle_0), (1 + extra, self.G_middle_1), (2 + extra, self.up_0),
            (3 + extra, self.up_1), (4 + extra, self.up_2), (5 + extra, self.up_3),
        ]  # fmt: skip
        return named if self.up_4 is None else [*named, (7, self.up_4)]

    def draw_noise(
        self, batch: int, height: int, width: int, random: torch.Generator | None = None
    ) -> list[Tensor]:
        """One (batch, 1, h, w) plane a block."""
        if not self.config.noise:
            return []
        rows, columns = self.grid(height, width)
        return [
            torch.randn(batch, 1, rows << step, columns << step, generator=random)
            for step, _ in self.blocks()
        ]

    def upsample(self, x: Tensor) -> Tensor:
        if self.config.smooth_upsampling:
            return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        return F.interpolate(x, scale_factor=2, mode="nearest")

    def start(self, labels: Tensor, style: Tensor | None, grid: tuple[int, int]) -> Tensor:
        """The coarsest feature map: (B, top width, rows, columns)."""
        rows, columns = grid
        if self.config.start == "style":
            assert style is not None
            return self.fc(style).view(len(style), -1, rows, columns)
        x = self.fc(resize_labels(labels, rows, columns, sampling=self.config.label_sampling))
        if self.style_start is not None and style is not None:
            x = x + self.style_start(style)[:, :, None, None]
        return x

    def forward(
        self,
        labels: Tensor,
        style: Tensor | None = None,
        noise: list[Tensor] | None = None,
        after_block: AfterBlock | None = None,
    ) -> Tensor:
        """As ImageGenerator.forward; the image is the start grid times 2**steps."""
        height, width = labels.shape[-2:]
        if style is None and self.config.style_size:
            style = torch.randn(len(labels), self.config.style_size, device=labels.device)
        if noise is None:
            noise = self.draw_noise(len(labels), height, width)
        x = self.start(labels, style, self.grid(height, width))
        done = 0
        for index, (step, block) in enumerate(self.blocks()):
            for _ in range(step - done):
                x = self.upsample(x)
            done = step
            plane = noise[index].to(x.device, x.dtype) if noise else None
            seen = resize_labels(labels, *x.shape[-2:], sampling=self.config.label_sampling)
            x = block(x, seen, style, plane)
            if after_block is not None:
                after_block(index)
        return torch.tanh(self.conv_img(F.leaky_relu(x, LEAK)))


class Generator(Decoder[GeneratorConfig]):
    """The paper's generator: the label map enters through every norm, the style code at the start."""

    def block(self, fan_in: int, fan_out: int, step: int) -> ResBlock:
        return SpadeResBlock(self.config, fan_in, fan_out, step)
