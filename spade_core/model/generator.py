# SPDX-License-Identifier: Apache-2.0
"""The SPADE generator: a start grid, residual blocks between doublings, an image (paper, figure 4 right)."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import GeneratorConfig
from .spade import LEAK, SpadeResBlock, conv


def resize_labels(labels: Tensor, height: int, width: int) -> Tensor:
    """Nearest by floor(i * scale), as the published network samples them; (B, C, H, W) -> (B, C, height, width)."""
    if labels.shape[-2:] == (height, width):
        return labels
    return F.interpolate(labels, size=(height, width), mode="nearest")


class Generator(nn.Module):
    """Label map (and style code, and noise) to image."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
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
        self.head_0 = SpadeResBlock(config, top, top, 0)
        self.G_middle_0 = SpadeResBlock(config, top, top, 1)
        self.G_middle_1 = SpadeResBlock(config, top, top, 1 + extra)
        self.up_0 = SpadeResBlock(config, top, width(8), 2 + extra)
        self.up_1 = SpadeResBlock(config, width(8), width(4), 3 + extra)
        self.up_2 = SpadeResBlock(config, width(4), width(2), 4 + extra)
        self.up_3 = SpadeResBlock(config, width(2), width(1), 5 + extra)
        last = width(1)
        self.up_4 = None
        if config.upsampling == "most":
            last = config.width(0.5)
            self.up_4 = SpadeResBlock(config, width(1), last, 7)
        self.conv_img = conv(last, 3, 3)

    def grid(self, height: int, width: int) -> tuple[int, int]:
        """(rows, columns) of the start for a label map of this size; the image is 2**steps times that."""
        if self.config.start_grid is not None:
            return self.config.start_grid
        scale = 2**self.config.steps
        return max(1, -(-height // scale)), max(1, -(-width // scale))

    def blocks(self) -> list[tuple[int, SpadeResBlock]]:
        """(doublings before it, block), in order."""
        extra = int(self.config.upsampling in ("more", "most"))
        named = [
            (0, self.head_0), (1, self.G_middle_0), (1 + extra, self.G_middle_1), (2 + extra, self.up_0),
            (3 + extra, self.up_1), (4 + extra, self.up_2), (5 + extra, self.up_3),
        ]  # fmt: skip
        return named if self.up_4 is None else [*named, (7, self.up_4)]

    def draw_noise(
        self, batch: int, grid: tuple[int, int], random: torch.Generator | None = None
    ) -> list[Tensor]:
        """One (batch, 1, h, w) standard normal plane a block, on the CPU, so that a seed means the same everywhere."""
        rows, columns = grid
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
        x = self.fc(resize_labels(labels, rows, columns))
        if self.style_start is not None and style is not None:
            x = x + self.style_start(style)[:, :, None, None]
        return x

    def forward(
        self,
        labels: Tensor,
        style: Tensor | None = None,
        noise: list[Tensor] | None = None,
        after_block: Callable[[int], None] | None = None,
    ) -> Tensor:
        """Paint a batch.

        labels: (B, input_channels, H, W) one-hot float; style: (B, style_size), noise as draw_noise gives it; each is
        drawn here where it is None. after_block is called with each block's index and may raise to stop.
        Returns (B, 3, rows * 2**steps, columns * 2**steps) in [-1, 1]: the size of the label map where that is a
        multiple of 2**steps and the start grid is free.
        """
        grid = self.grid(*labels.shape[-2:])
        if style is None and self.config.style_size:
            style = torch.randn(len(labels), self.config.style_size, device=labels.device)
        if noise is None and self.config.noise:
            noise = self.draw_noise(len(labels), grid)
        x = self.start(labels, style, grid)
        done = 0
        for index, (step, block) in enumerate(self.blocks()):
            for _ in range(step - done):
                x = self.upsample(x)
            done = step
            plane = noise[index].to(x.device, x.dtype) if noise is not None else None
            x = block(x, resize_labels(labels, *x.shape[-2:]), style, plane)
            if after_block is not None:
                after_block(index)
        return torch.tanh(self.conv_img(F.leaky_relu(x, LEAK)))
