# SPDX-License-Identifier: Apache-2.0
"""The published networks as their code has them, with PyTorch's old spectral norm: what an export must fit.

Written from the layers and keys that they are known to have; of the full structure, narrow where a test wants it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import spectral_norm


class Norm(nn.Module):
    """Syncbatch on one device is batch norm."""

    def __init__(self, channels: int, labels: int, kernel: int, hidden: int) -> None:
        super().__init__()
        self.param_free_norm = nn.BatchNorm2d(channels, affine=False)
        self.mlp_shared = nn.Sequential(nn.Conv2d(labels, hidden, kernel, padding=kernel // 2), nn.ReLU())
        self.mlp_gamma = nn.Conv2d(hidden, channels, kernel, padding=kernel // 2)
        self.mlp_beta = nn.Conv2d(hidden, channels, kernel, padding=kernel // 2)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        seen = self.mlp_shared(F.interpolate(labels, size=x.shape[2:], mode="nearest"))
        return self.param_free_norm(x) * (1 + self.mlp_gamma(seen)) + self.mlp_beta(seen)


class Block(nn.Module):
    def __init__(self, fan_in: int, fan_out: int, labels: int, kernel: int, hidden: int) -> None:
        super().__init__()
        middle = min(fan_in, fan_out)
        self.conv_0 = spectral_norm(nn.Conv2d(fan_in, middle, 3, padding=1))
        self.conv_1 = spectral_norm(nn.Conv2d(middle, fan_out, 3, padding=1))
        self.norm_0 = Norm(fan_in, labels, kernel, hidden)
        self.norm_1 = Norm(middle, labels, kernel, hidden)
        if fan_in != fan_out:
            self.conv_s = spectral_norm(nn.Conv2d(fan_in, fan_out, 1, bias=False))
            self.norm_s = Norm(fan_in, labels, kernel, hidden)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        skip = self.conv_s(self.norm_s(x, labels)) if hasattr(self, "conv_s") else x
        dx = self.conv_0(F.leaky_relu(self.norm_0(x, labels), 0.2))
        return skip + self.conv_1(F.leaky_relu(self.norm_1(dx, labels), 0.2))


class PublishedGenerator(nn.Module):
    def __init__(
        self, labels: int, width: int, grid: tuple[int, int], more: bool, code: int = 0, hidden: int = 128
    ) -> None:
        """grid: (rows, columns) of the coarsest map; code: of the style, 0 without."""
        super().__init__()
        self.grid, self.more, self.code = grid, more, code
        self.fc = (
            nn.Linear(code, 16 * width * grid[0] * grid[1])
            if code
            else nn.Conv2d(labels, 16 * width, 3, padding=1)
        )
        widths = {"head_0": (16, 16), "G_middle_0": (16, 16), "G_middle_1": (16, 16)}
        widths |= {"up_0": (16, 8), "up_1": (8, 4), "up_2": (4, 2), "up_3": (2, 1)}
        for name, (fan_in, fan_out) in widths.items():
            self.add_module(name, Block(fan_in * width, fan_out * width, labels, 3, hidden))
        self.conv_img = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, labels: Tensor, style: Tensor | None = None) -> Tensor:
        if self.code:
            x = self.fc(style).view(len(labels), -1, *self.grid)
        else:
            x = self.fc(F.interpolate(labels, size=self.grid, mode="nearest"))
        up = nn.Upsample(scale_factor=2)
        x = self.G_middle_0(up(self.head_0(x, labels)), labels)
        x = self.G_middle_1(up(x) if self.more else x, labels)
        for block in (self.up_0, self.up_1, self.up_2, self.up_3):
            x = block(up(x), labels)
        return torch.tanh(self.conv_img(F.leaky_relu(x, 0.2)))


class PublishedEncoder(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        fan_in = 3
        for index, times in enumerate((1, 2, 4, 8, 8, 8)):
            layer = spectral_norm(nn.Conv2d(fan_in, times * width, 3, 2, 1, bias=False))
            self.add_module(f"layer{index + 1}", nn.Sequential(layer, nn.InstanceNorm2d(times * width)))
            fan_in = times * width
        self.fc_mu, self.fc_var = nn.Linear(fan_in * 16, 256), nn.Linear(fan_in * 16, 256)

    def forward(self, photo: Tensor) -> Tensor:
        """(B, 3, 256, 256) to the mean code."""
        x = self.layer1(photo)
        for index in range(2, 7):
            x = getattr(self, f"layer{index}")(F.leaky_relu(x, 0.2))
        return self.fc_mu(F.leaky_relu(x, 0.2).flatten(1))


class PublishedDiscriminator(nn.Module):
    """Two scales of four layers."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        for scale in range(2):
            self.add_module(f"discriminator_{scale}", self._scale(channels, width))

    @staticmethod
    def _scale(channels: int, width: int) -> nn.Module:
        scale = nn.Module()
        scale.add_module("model0", nn.Sequential(nn.Conv2d(channels, width, 4, 2, 2), nn.LeakyReLU(0.2)))
        for index, stride in ((1, 2), (2, 2), (3, 1)):
            wider = min(2 * width, 512)
            layer = spectral_norm(nn.Conv2d(width, wider, 4, stride, 2, bias=False))
            normed = nn.Sequential(layer, nn.InstanceNorm2d(wider))
            scale.add_module(f"model{index}", nn.Sequential(normed, nn.LeakyReLU(0.2)))
            width = wider
        scale.add_module("model4", nn.Sequential(nn.Conv2d(width, 1, 4, 1, 2)))
        return scale
