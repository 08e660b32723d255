# SPDX-License-Identifier: Apache-2.0
"""The decoder and its residual block: a start grid, blocks between doublings, an image (paper, figures 4, 11, 12)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import DecoderConfig
from .interface import AfterBlock, ImageGenerator
from .layers import LEAK, conv
from .norms import spectral_norm
from .semantic_input import resize_labels
from .style_map import Style, added


class ResBlock(nn.Module):
    """Two convolutions behind norms that see the labels, and a shortcut, learned where the width changes.

    Each kind of decoder adds its norms: norm(x, labels), from (B, C, h, w) to the same, or to further channels.
    """

    def __init__(self, config: DecoderConfig, fan_in: int, fan_out: int, further: int = 0) -> None:
        """further: channels that the norms add to those they are given."""
        super().__init__()
        middle = min(fan_in, fan_out)
        self.conv_0 = conv(fan_in + further, middle, 3)
        self.conv_1 = conv(middle + further, fan_out, 3)
        self.conv_s = conv(fan_in + further, fan_out, 1, bias=False) if fan_in != fan_out else None
        if config.spectral:
            for layer in (self.conv_0, self.conv_1, self.conv_s):
                if layer is not None:
                    spectral_norm(layer)
        self.noise_strength = nn.Parameter(torch.zeros(1, fan_in, 1, 1)) if config.noise else None

    def add_norms(self, norm: Callable[[int], nn.Module], fan_in: int, fan_out: int) -> None:
        self.norm_0 = norm(fan_in)
        self.norm_1 = norm(min(fan_in, fan_out))
        self.norm_s = norm(fan_in) if fan_in != fan_out else None

    def forward(self, x: Tensor, labels: Tensor, style: Style | None, noise: Tensor | None) -> Tensor:
        """x: (B, fan_in, h, w); labels: (B, classes, h, w); style: (B, Z), or a map; noise: (B, 1, h, w) standard
        normal."""
        if self.noise_strength is not None and noise is not None:
            x = torch.addcmul(x, self.noise_strength, noise)
        labels = self.seen(labels, style)
        skip = x
        if self.conv_s is not None and self.norm_s is not None:
            skip = self.conv_s(self.norm_s(x, labels))
        dx = self.conv_0(F.leaky_relu(self.norm_0(x, labels), LEAK))
        dx = self.conv_1(F.leaky_relu(self.norm_1(dx, labels), LEAK))
        return skip + dx

    def seen(self, labels: Tensor, style: Style | None) -> Tensor:
        """What the norms are shown."""
        return labels


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

    @property
    def one_style(self) -> str:
        if not self.config.style_size:
            return "it has no style code"
        if self.config.start == "style":
            return "its style code is the start of the whole picture, not of a place in it"
        if self.config.norm == "instance":
            return "its norms see the whole picture, so that the style of a part would change all of it"
        return ""

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

    def start(self, labels: Tensor, style: Style | None, grid: tuple[int, int]) -> Tensor:
        """The coarsest feature map: (B, top width, rows, columns)."""
        rows, columns = grid
        if self.config.start == "style":
            assert isinstance(style, Tensor), "the whole start is made of one code"
            return self.fc(style).view(len(style), -1, rows, columns)
        x = self.fc(resize_labels(labels, rows, columns, sampling=self.config.label_sampling))
        if self.style_start is not None and style is not None:
            x = added(x, self.style_start, style)
        return x

    def forward(
        self,
        labels: Tensor,
        style: Style | None = None,
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
