# SPDX-License-Identifier: Apache-2.0
"""What a feature network says of pictures: one vector a picture, and maps for perceptual distances."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

BATCH = 8

T = TypeVar("T")


@dataclass(frozen=True)
class Features:
    """Of a batch of pictures."""

    pooled: Tensor
    """(B, D): what distances between sets are computed on."""
    taps: list[Tensor]
    """(B, C, h, w) maps, finest first: what the distance between two pictures is computed on."""

    def rows(self) -> np.ndarray:
        """The vectors, (B, D) float64."""
        return self.pooled.double().cpu().numpy()

    def __getitem__(self, places: list[int]) -> Features:
        """Some pictures of the batch."""
        return Features(self.pooled[places], [tap[places] for tap in self.taps])


class FeatureNetwork(nn.Module, ABC):
    """Frozen eyes, and under which names their numbers go."""

    title: str
    """The network, for people."""
    frechet_title: str
    kernel_title: str
    resize: str
    """What happens to a picture before the network sees it."""

    @abstractmethod
    def forward(self, pictures: Tensor) -> Features:
        """pictures: (B, 3, H, W) float in [0, 255]."""

    def see(self, pictures: Sequence[np.ndarray]) -> Features:
        """pictures: (H, W, 3) uint8, all of one size; one batch."""
        rgb = torch.from_numpy(np.stack(pictures)).to(next(self.buffers()).device).permute(0, 3, 1, 2)
        with torch.inference_mode():
            return self(rgb.float().contiguous(memory_format=torch.channels_last))


def in_batches(items: Iterable[T]) -> Iterator[list[T]]:
    """Lists of BATCH, the last one shorter."""
    remaining = iter(items)
    while batch := list(islice(remaining, BATCH)):
        yield batch


def perceptual_distance(first: Features, second: Features) -> np.ndarray:
    """How different pictures look, pair by pair: (B,) float64, 0 for equal ones, at most 4 a tap.

    As in LPIPS (Zhang et al., CVPR 2018) with equal weights: at every position of every tap the channels are brought
    to length one; squared differences are averaged over positions and summed over taps.
    """
    total = torch.zeros(len(first.pooled), dtype=torch.float64)
    for a, b in zip(first.taps, second.taps, strict=True):
        apart = (F.normalize(a, dim=1, eps=1e-6) - F.normalize(b, dim=1, eps=1e-6)).square()
        total += apart.sum(1).mean((1, 2)).double().cpu()
    return total.numpy()
