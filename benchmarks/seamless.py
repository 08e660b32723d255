# SPDX-License-Identifier: Apache-2.0
"""Seamless tiles of each class: how lively they are beside photos, and whether their seams can be seen.

    python -m benchmarks.seamless DIR [CLASS ...]

DIR holds photos with label maps of the embedded model's label set (docs/data.md). Contrast is the standard deviation of
the luma in windows of 15 pixels, averaged: in photos over those windows that show the class alone, of up to 40 photos
with a tenth of it; in tiles over all, as a share of the photos'. Beside that: the same of flat maps painted without
wrapping, and of what the model paints for the label maps of some of those photos: where these are as low, it is the
model. A seam is the mean difference of the pixels on its two sides; its rank is the share of the tile's other rows, or
columns, that differ less from the next one: 1.00 would be a seam to be seen.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from spade_core.contract.messages import NOWHERE, Wrap
from spade_core.contract.request import PictureRequest
from spade_core.data.layouts.layouts import find_pairs
from spade_core.synthesis.paint import paint
from spade_core.synthesis.synthesizer import Synthesizer

WINDOW, SIDE, SEEDS, PHOTOS, PAINTED = 15, 256, 4, 40, 12
CLASSES = ("grass", "sand", "dirt", "rock", "snow", "bush", "tree", "water", "sea")


def main(folder: str, *classes: str) -> None:
    model = Synthesizer.load("landscape")
    ids = {entry.name: entry.id for entry in model.label_set.classes}
    print(
        f"{'class':<10}{'photos':>7}{'contrast':>10}{'tiles':>8}{'flat':>8}{'maps':>8}{'rank of seams':>15}"
    )
    for name in classes or CLASSES:
        photos = list(islice(contrasts_in_photos(Path(folder), ids[name]), PHOTOS))
        usual = statistics.median(each for each, _ in photos) if photos else float("nan")
        tiles = [flat(model, ids[name], seed, (True, True)) for seed in range(SEEDS)]
        lively = statistics.mean(contrast(luma(around(rgb))).mean() for rgb in tiles)
        alone = [flat(model, ids[name], seed, NOWHERE) for seed in range(SEEDS)]
        unwrapped = statistics.mean(contrast(luma(rgb)).mean() for rgb in alone)
        painted = [in_map(model, labels, ids[name]) for _, labels in photos[:PAINTED]]
        within = statistics.median(painted) if painted else float("nan")
        ranks = [rank(rgb, axis) for rgb in tiles for axis in (0, 1)]
        shares = "".join(f"{each / usual:>8.2f}" for each in (lively, unwrapped, within))
        print(
            f"{name:<10}{len(photos):>7}{usual:>10.1f}{shares}"
            f"{statistics.median(ranks):>8.2f}, {max(ranks):.2f}",
            flush=True,
        )


def flat(model: Synthesizer, id: int, seed: int, wrap: Wrap) -> np.ndarray:
    labels = np.full((SIDE, SIDE), id, np.uint8)
    return paint(model, PictureRequest(labels, model.label_set, seed=seed, wrap=wrap)).rgb


def in_map(model: Synthesizer, labels: np.ndarray, id: int) -> float:
    """Contrast of a class in what the model paints for a photo's label map."""
    rgb = paint(model, PictureRequest(labels, model.label_set, upscale="off")).rgb
    return float(contrast(luma(rgb))[alone_in(labels, id)].mean())


def contrasts_in_photos(folder: Path, id: int) -> Iterator[tuple[float, np.ndarray]]:
    """With their label maps."""
    for pair in find_pairs(folder, "train"):
        labels = np.asarray(Image.open(pair.labels))
        if (labels == id).mean() < 0.1:
            continue
        rgb = np.asarray(Image.open(pair.image).convert("RGB").resize((labels.shape[1], labels.shape[0])))
        windows = alone_in(labels, id)
        if windows.sum() > 200:
            yield float(contrast(luma(rgb))[windows].mean()), labels


def alone_in(labels: np.ndarray, id: int) -> np.ndarray:
    """Which windows show a class alone."""
    share = F.avg_pool2d(torch.from_numpy((labels == id).astype(np.float32))[None], WINDOW, 1)[0].numpy()
    return share > 0.999


def contrast(values: np.ndarray) -> np.ndarray:
    plane = torch.from_numpy(values)[None]
    mean, square = F.avg_pool2d(plane, WINDOW, 1), F.avg_pool2d(plane.square(), WINDOW, 1)
    return (square - mean.square()).clamp(min=0).sqrt()[0].numpy()


def luma(rgb: np.ndarray) -> np.ndarray:
    return rgb.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)


def around(rgb: np.ndarray) -> np.ndarray:
    half = WINDOW // 2
    return np.pad(rgb, ((half, half), (half, half), (0, 0)), mode="wrap")


def rank(rgb: np.ndarray, axis: int) -> float:
    lines = np.moveaxis(rgb.astype(int), axis, 0)
    steps = np.abs(lines - np.roll(lines, 1, 0)).mean((1, 2))
    return float((steps[1:] < steps[0]).mean())


def arguments() -> Sequence[str]:
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    return sys.argv[1:]


if __name__ == "__main__":
    main(*arguments())
