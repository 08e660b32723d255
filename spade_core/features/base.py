# SPDX-License-Identifier: Apache-2.0
"""What a feature network makes of pictures: one vector a picture, and maps for perceptual distances."""

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
        return self.pooled.cpu().double().numpy()  # in this order: MPS has no float64

    def __getitem__(self, places: list[int]) -> Features:
        """Some pictures of the batch."""
        return Features(self.pooled[places], [tap[places] for tap in self.taps])


class FeatureNetwork(nn.Module, ABC):
    """A frozen network, and the names under which the numbers go that rest on it."""

    title: str
    """The network, for people."""
    frechet_title: str
    kernel_title: str
    resize: str
    """What happens to a picture before the network sees it."""

    @abstractmethod
    def forward(self, rgb: Tensor) -> Features:
        """rgb: (B, H, W, 3) uint8, on the network's device. Each network scales bytes in its own order."""

    def extract(self, pictures: Sequence[np.ndarray]) -> Features:
        """pictures: (H, W, 3) uint8, all of one size; one batch."""
        rgb = torch.from_numpy(np.stack(pictures)).to(next(self.buffers()).device)
        with torch.inference_mode():
            return self(rgb)


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
        total += apart.sum(1).mean((1, 2)).cpu().double()
    return total.numpy()
