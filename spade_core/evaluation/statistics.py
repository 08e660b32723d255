# SPDX-License-Identifier: Apache-2.0
"""Plain statistics of pictures: colour, light and sharpness, whose errors a distance of features may hide."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..contract.labels import LabelSet

LUMA = np.array([0.299, 0.587, 0.114])
"""Weights of R, G and B (ITU-R BT.601)."""
BLACK, WHITE = 0.05, 0.95
"""A pixel of at most this luma is black, of at least this luma white."""

DEFINITIONS = (
    "R, G, B in 0 to 1, L their luma (.299, .587, .114); chroma: mean of max - min of R, G, B; lightness: mean of L; "
    "spread of lightness: standard deviation of L within a picture, averaged over pictures; black: share of pixels "
    f"with L at most {BLACK}, white: at least {WHITE}; Laplacian: mean of |up + down + left + right - 4 L|, pixels at "
    "the picture's border left out. Of a class: its pixels in the label map, pictures weighted by them; for the "
    "Laplacian those whose 3 x 3 neighbours are all of the class"
)


@dataclass(frozen=True)
class Statistics:
    """Means over all pixels of some region, in all pictures; in 0 to 1 but for the Laplacian, which is in 0 to 4."""

    share: float
    """Of all pixels."""
    chroma: float
    lightness: float
    spread: float
    black: float
    white: float
    laplacian: float | None
    """None where the region is nowhere 3 pixels wide and high."""


@dataclass(frozen=True)
class PictureStatistics:
    """Of a set of pictures, and of each class that occurs in their label maps, by name."""

    whole: Statistics
    by_class: dict[str, Statistics]


class StatisticsCounter:
    """Pictures counted one by one; all sums are float64."""

    def __init__(self, label_set: LabelSet) -> None:
        self._names = [entry.name for entry in label_set.classes]
        count = len(self._names)
        self._class_index = np.full(max(label_set.ignore_id, label_set.classes[-1].id) + 1, count)
        for index, entry in enumerate(label_set.classes):
            if entry.id != label_set.ignore_id:
                self._class_index[entry.id] = index
        self._whole, self._by_class = np.zeros((1, QUANTITIES)), np.zeros((count, QUANTITIES))

    def add(self, rgb: np.ndarray, label_map: np.ndarray) -> None:
        """rgb: (H, W, 3) uint8, at least 3 a side; label_map: (H, W) ids of the label set."""
        pixels = rgb / 255.0
        luma = pixels @ LUMA
        chroma = pixels.max(2) - pixels.min(2)
        laplacian = absolute_laplacian(luma)
        classes = self._class_index[label_map]
        inner = np.where(of_one_class(classes), classes[1:-1, 1:-1], len(self._names))
        self._whole += _sums(luma, chroma, laplacian, np.zeros_like(classes), np.zeros_like(inner), 1)
        self._by_class += _sums(luma, chroma, laplacian, classes, inner, len(self._names))

    def statistics(self) -> PictureStatistics:
        """Of what was counted, at least one picture."""
        total = self._whole[0, 0]
        by_class = {
            name: _means(sums, total)
            for name, sums in zip(self._names, self._by_class, strict=True)
            if sums[0] > 0
        }
        return PictureStatistics(_means(self._whole[0], total), by_class)


def absolute_laplacian(luma: np.ndarray) -> np.ndarray:
    """luma: (H, W). Returns (H - 2, W - 2): |the four neighbours - 4 times the pixel|, of pixels that have four."""
    around = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:]
    return np.abs(around - 4 * luma[1:-1, 1:-1])


def of_one_class(classes: np.ndarray) -> np.ndarray:
    """classes: (H, W). Returns (H - 2, W - 2) bool: whether all eight neighbours are of the pixel's class."""
    height, width = classes.shape
    middle = classes[1:-1, 1:-1]
    same = np.ones(middle.shape, bool)
    for down in range(3):
        for across in range(3):
            same &= classes[down : height - 2 + down, across : width - 2 + across] == middle
    return same


QUANTITIES = 8


def _sums(
    luma: np.ndarray, chroma: np.ndarray, laplacian: np.ndarray, regions: np.ndarray, inner: np.ndarray, count: int
) -> np.ndarray:  # fmt: skip
    """What one picture adds, (count, QUANTITIES), by region: whole numbers of regions' and inner's shape, those from
    `count` on left out. Pixels, chroma, luma, black, white, spread times pixels; inner pixels, Laplacian.
    """

    def summed(values: np.ndarray, where: np.ndarray) -> np.ndarray:
        return np.bincount(where.ravel(), values.ravel(), minlength=count + 1)[:count]

    pixels = summed(np.ones_like(luma), regions)
    light = summed(luma, regions)
    mean = np.append(light / np.maximum(pixels, 1), 0.0)
    deviations = np.square(luma - mean[regions])
    return np.stack(
        [
            pixels, summed(chroma, regions), light, summed(luma <= BLACK, regions), summed(luma >= WHITE, regions),
            np.sqrt(summed(deviations, regions) * pixels),  # the deviation in this picture, times its pixels
            summed(np.ones_like(laplacian), inner), summed(laplacian, inner),
        ],
        axis=1,
    )  # fmt: skip


def _means(sums: np.ndarray, total: float) -> Statistics:
    pixels, chroma, light, black, white, spread, inner_pixels, laplacian = sums.tolist()
    return Statistics(
        share=pixels / total, chroma=chroma / pixels, lightness=light / pixels, spread=spread / pixels,
        black=black / pixels, white=white / pixels,
        laplacian=laplacian / inner_pixels if inner_pixels else None,
    )  # fmt: skip
