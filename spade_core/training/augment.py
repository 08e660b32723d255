# SPDX-License-Identifier: Apache-2.0
"""Differentiable augmentation of what the discriminator sees, and label maps as users draw them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .. import distributed


def soften_borders(planes: Tensor, spread: Tensor) -> Tensor:
    """One-hot planes as a finer label map averaged down to them would give: borders between pixels.

    planes: (B, C, H, W); spread: (B,) of 0 to 0.25, the share that each neighbour in a row or column gets.
    """
    a = spread[:, None, None, None]
    padded = F.pad(planes, (1, 1, 1, 1), mode="replicate")
    rows = padded[..., 1:-1] * (1 - 2 * a) + (padded[..., :-2] + padded[..., 2:]) * a
    return rows[..., 1:-1, :] * (1 - 2 * a) + (rows[..., :-2, :] + rows[..., 2:, :]) * a


class Augment:
    """None: photos, fakes and labels as they are."""

    def image(self, image: Tensor) -> Tensor:
        """image: (B, 3, H, W) in [-1, 1]; returns the same shape, gradients pass."""
        return image

    def labels(self, label_map: Tensor) -> Tensor:
        """label_map: (B, H, W) integers; moved as the images are."""
        return label_map


class DiffAugment(Augment):
    """One draw of brightness, saturation, contrast and translation, applied alike to photos, fakes and labels.

    "Differentiable Augmentation for Data-Efficient GAN Training" (NeurIPS 2020). Drawn once a step, so that the
    perceptual loss compares a fake with its photo under the same change. Translation goes by any number of pixels,
    odd ones too: even steps alone let a grid of dots through.
    """

    def __init__(self, batch: int, height: int, width: int, reach: float = 0.125) -> None:
        whole = batch * distributed.world_size()
        self.brightness = (distributed.local_rows(torch.rand(whole, 1, 1, 1)) - 0.5) * 0.8
        self.saturation = distributed.local_rows(torch.rand(whole, 1, 1, 1)) * 1.0 + 0.5
        self.contrast = distributed.local_rows(torch.rand(whole, 1, 1, 1)) * 0.6 + 0.7
        limit = int(min(height, width) * reach)
        self.shift = distributed.local_rows(torch.randint(-limit, limit + 1, (whole, 2))).tolist()

    def image(self, image: Tensor) -> Tensor:
        dtype, device = image.dtype, image.device
        x = image.float() + self.brightness.to(device)
        grey = x.mean(1, keepdim=True)
        x = (x - grey) * self.saturation.to(device) + grey
        level = x.mean((1, 2, 3), keepdim=True)
        x = (x - level) * self.contrast.to(device) + level
        return self._shifted(x, "replicate").to(dtype)

    def labels(self, label_map: Tensor) -> Tensor:
        # Whole numbers below 2**24 stay what they are.
        return self._shifted(label_map[:, None].float(), "replicate")[:, 0].long()

    def _shifted(self, x: Tensor, mode: str) -> Tensor:
        height, width = x.shape[-2:]
        limit = max(max(abs(down), abs(right)) for down, right in self.shift)
        if limit == 0:
            return x
        padded = F.pad(x, (limit,) * 4, mode=mode)
        moved = [
            padded[index, :, limit - down : limit - down + height, limit - right : limit - right + width]
            for index, (down, right) in enumerate(self.shift)
        ]
        return torch.stack(moved).contiguous(memory_format=torch.channels_last)
