# SPDX-License-Identifier: Apache-2.0
"""What a training step is given."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Photos and what they show: this process's rows of the joined batch."""

    photos: Tensor
    """(B, 3, H, W) in [-1, 1]."""
    channels: Tensor
    """(B, H, W) int64, the one-hot channel of each pixel: what is asked of the generator."""
    instances: Tensor | None = None
    """(B, H, W) int64 instance ids, for networks that look at instance edges."""
    shown: Tensor | None = None
    """(B, H, W) int64, the channels that the photos show, where some label maps were blocked out."""

    def parts(self, count: int) -> list[Batch]:
        """The rows in `count` equal parts."""
        photos, channels = self.photos.chunk(count), self.channels.chunk(count)
        instances, shown = (
            [None] * count if each is None else each.chunk(count) for each in (self.instances, self.shown)
        )
        return [Batch(*rows) for rows in zip(photos, channels, instances, shown, strict=True)]
