# SPDX-License-Identifier: Apache-2.0
"""The styles that a model's seeds draw from: what its encoder says of photographs, beside where those have which class.

Codes drawn from the standard normal ask for a light that no photo has: an encoder's codes are pulled towards it in
training (paper, section 3), but never lie as it does. And a sunset over the sea is no style for a street.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

GRID = 4
"""Rows and columns of a layout."""
FINEST = 256
"""Rows or columns, about, that a layout is counted on; a larger map is looked at in steps."""
CANDIDATES = 12
"""Codes, of the photos laid out most alike, among which a seed chooses."""
VARIED = 0.15
"""How far a drawn code lies from its photo's, in standard deviations of the bank: no two seeds are quite alike."""


@dataclass(frozen=True, eq=False)
class NamedStyle:
    """A style that people ask for by name. code: (style_size,) float32. thumbnail: (H, W, 3) uint8, painted in it."""

    name: str
    code: np.ndarray
    thumbnail: np.ndarray


@dataclass(frozen=True, eq=False)
class StyleBank:
    """codes: (N, style_size) float32, of photos that cover the range of all. layouts: (N, GRID * GRID * channels)
    uint8, as `layout` gives. weights: (N,) float32, how many photos each stands for. mean: (style_size,) float32, the
    average of all photos' codes: the average look. reach: how far from it seeds draw, in parts of how far the photos'
    codes lie: pictures of a network differ less than the photos whose codes they are painted with.
    """

    codes: np.ndarray
    layouts: np.ndarray
    weights: np.ndarray
    mean: np.ndarray
    named: tuple[NamedStyle, ...] = ()
    reach: float = 1.0

    def drawn(self, seed: int, like: np.ndarray | None = None) -> np.ndarray:
        """(style_size,) float32: the same for the same seed and layout, and never beyond the range of the photos'.

        like: the layout that the photo's should resemble; None takes any photo.
        """
        random = np.random.default_rng(seed % 2**63)
        nearest = np.arange(len(self.codes))
        if like is not None:
            off = np.abs(self.layouts.astype(np.int32) - like).sum(1)
            nearest = np.argsort(off, kind="stable")[:CANDIDATES]
        # The first to arrive, each at its own time: who is laid out alike no more changes nothing unless it was first.
        with np.errstate(divide="ignore"):  # a photo without weight never arrives
            arrivals = random.exponential(1 / self.weights)
        code = self.codes[nearest[arrivals[nearest].argmin()]]
        code = code + VARIED * self.codes.std(0) * random.standard_normal(len(code))
        if self.reach != 1.0:
            code = self.mean + self.reach * (code - self.mean)
        return code.clip(self.codes.min(0), self.codes.max(0)).astype(np.float32)

    def find(self, name: str) -> NamedStyle | None:
        """By name, whatever its case."""
        return next((style for style in self.named if style.name.casefold() == name.casefold()), None)


def layout(channels: np.ndarray, count: int) -> np.ndarray:
    """Which share of each cell of a coarse grid is of which class.

    channels: (H, W) numbers below `count`, one a class, of a label map. Returns (GRID * GRID * count,) uint8, 255 for
    all of a cell.
    """
    channels = looked_at(channels)
    height, width = channels.shape
    rows, columns = np.arange(height) * GRID // height, np.arange(width) * GRID // width
    cells = rows[:, None] * GRID + columns
    counts = np.bincount((cells * count + channels).ravel(), minlength=GRID * GRID * count)
    shares = counts.reshape(GRID * GRID, count) / np.bincount(cells.ravel(), minlength=GRID * GRID)[:, None]
    return np.round(shares * 255).astype(np.uint8).ravel()


def looked_at(label_map: np.ndarray) -> np.ndarray:
    """What a layout is counted on: (h, w) of (H, W); all of it where that is looked at again."""
    step = max(1, min(label_map.shape) // FINEST)
    return label_map[step // 2 :: step, step // 2 :: step]


def thinned(codes: np.ndarray, count: int) -> np.ndarray:
    """Indices of at most `count` codes that cover the range of all: none is left out that lies far from those kept.

    codes: (N, style_size), in the order in which they are preferred.
    """
    if len(codes) <= count:
        return np.arange(len(codes))
    scaled = (codes - codes.mean(0)) / (codes.std(0) + 1e-6)
    low, high = 0.0, float(2 * np.linalg.norm(scaled, axis=1).max())
    kept = np.arange(len(codes))
    for _ in range(24):  # photos may be alike, so that no distance leaves few enough
        if len(kept) <= count and high - low < 0.01 * high:
            break
        apart = (low + high) / 2
        kept = _apart(scaled, apart)
        low, high = (apart, high) if len(kept) > count else (low, apart)
    return _apart(scaled, high)[:count]


def stood_for(codes: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """(len(kept),) float32: of how many codes each of those kept is the nearest."""
    spread = codes.std(0) + 1e-6
    nearest = [int((((codes[kept] - code) / spread) ** 2).sum(1).argmin()) for code in codes]
    return np.bincount(nearest, minlength=len(kept)).astype(np.float32)


def _apart(codes: np.ndarray, distance: float) -> np.ndarray:
    """Indices of codes of which no two are nearer than `distance`."""
    kept: list[int] = []
    for index, code in enumerate(codes):
        if not kept or np.linalg.norm(codes[kept] - code, axis=1).min() >= distance:
            kept.append(index)
    return np.array(kept)


def bank_tensors(bank: StyleBank) -> Iterator[tuple[str, Tensor]]:
    """What a checkpoint file holds of it, beside the names."""
    for name in ("codes", "layouts", "weights", "mean"):
        yield name, torch.from_numpy(np.ascontiguousarray(getattr(bank, name)))
    if bank.reach != 1.0:
        yield "reach", torch.tensor(bank.reach)
    if bank.named:
        yield "named", torch.from_numpy(np.stack([style.code for style in bank.named]))
        yield "thumbnails", torch.from_numpy(np.stack([style.thumbnail for style in bank.named]))


def bank_from(tensors: dict[str, Tensor], names: list[str]) -> StyleBank | None:
    """The inverse; None where there is none. Raises KeyError or ValueError where parts are missing."""
    if not tensors:
        return None
    codes, layouts, weights, mean = (
        tensors[name].numpy() for name in ("codes", "layouts", "weights", "mean")
    )
    if not len(codes) == len(layouts) == len(weights) or codes.shape[1:] != mean.shape or not len(codes):
        raise ValueError("codes, layouts, weights and mean of other sizes")
    named = ()
    if names:
        parts = zip(names, tensors["named"].numpy(), tensors["thumbnails"].numpy(), strict=True)
        named = tuple(NamedStyle(name, code.astype(np.float32), thumbnail) for name, code, thumbnail in parts)
    reach = float(tensors["reach"]) if "reach" in tensors else 1.0
    return StyleBank(
        codes.astype(np.float32), layouts, weights.astype(np.float32), mean.astype(np.float32), named, reach
    )
