# SPDX-License-Identifier: Apache-2.0
"""Label maps as tables: what a 3x3 convolution sees is the same in all pixels inside a region of one class.

Of photos' label maps at 256 squared, nine pixels in ten lie inside one (at 64 squared eight in ten): the label path is
computed once for each class, and for each pixel near a border.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MOST_OTHERS = 0.5
"""Share of pixels near borders above which a table gains nothing."""


@dataclass(frozen=True)
class LabelRows:
    """Which pixels see the same labels in their 3x3 neighbourhoods.

    rows: (B h w,) int32; pixels of image b that lie inside class c have row b * classes + c, each other one a row of
    its own behind those. patches: (others, 9 classes), their neighbourhoods, a pixel after the other. images: (others,)
    int64, the image each belongs to. size: (batch, classes).
    """

    rows: Tensor
    patches: Tensor
    images: Tensor
    size: tuple[int, int]

    @property
    def shared(self) -> int:
        return self.size[0] * self.size[1]

    @classmethod
    def of(cls, labels: Tensor) -> LabelRows | None:
        """labels: (B, classes, h, w) one-hot planes or shares of sum 1; the edge is seen repeated.

        None where too many pixels are near borders.
        """
        batch, classes, height, width = labels.shape
        most, ids = labels.max(1)
        ids = ids.where(most == 1, -1).float()
        lowest, highest = -F.max_pool2d(-ids, 3, 1, 1), F.max_pool2d(ids, 3, 1, 1)
        inside = (lowest == highest) & (lowest >= 0)
        places = (~inside).nonzero()
        if len(places) > MOST_OTHERS * inside.numel():
            return None
        first = torch.arange(batch, device=ids.device).view(-1, 1, 1) * classes
        rows = (ids + first).int()
        image, y, x = places.T
        rows[image, y, x] = torch.arange(len(places), dtype=torch.int32) + batch * classes
        padded = F.pad(labels, (1, 1, 1, 1), mode="replicate").permute(0, 2, 3, 1).reshape(-1, classes)
        corner = (image * (height + 2) + y) * (width + 2) + x
        around = torch.tensor([i * (width + 2) + j for i in range(3) for j in range(3)])
        patches = padded[corner[:, None] + around].flatten(1)
        return cls(rows.flatten(), patches, image, (batch, classes))

    def convolved(self, layer: nn.Conv2d) -> tuple[Tensor, Tensor]:
        """A 3x3 convolution of the labels: (classes, out) inside each class, and (others, out)."""
        weight, bias = layer.weight, layer.bias
        assert bias is not None
        inside = weight.sum((2, 3)).T + bias
        others = F.linear(self.patches, weight.permute(0, 2, 3, 1).flatten(1), bias)
        return inside, others

    def joined(self, inside: Tensor, others: Tensor, of_image: Tensor) -> Tensor:
        """The rows' values, (shared + others, C), with what is added for each image, of_image: (B, C)."""
        each = (inside[None] + of_image[:, None]).flatten(0, 1)
        return torch.cat([each, others + of_image[self.images]])
