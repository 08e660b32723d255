# SPDX-License-Identifier: Apache-2.0
"""Small data sets on disk: photos whose colours say which class every pixel shows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def write_pair(
    folder: Path, name: str, ids: np.ndarray, images: str = "images", labels: str = "labels", **options
) -> None:
    """ids (H, W); the photo is 10 times the id in every channel."""
    photo = np.repeat((np.minimum(ids, 25) * 10).astype(np.uint8)[..., None], 3, axis=2)
    save(folder / images / f"{name}.png", photo)
    save(folder / labels / f"{name}.png", ids, **options)


def save(path: Path, pixels: np.ndarray, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def stripes(height: int = 48, width: int = 64, ids: tuple[int, ...] = (0, 3, 6)) -> np.ndarray:
    """Rows of ids from the top, as a landscape has them."""
    rows = np.array(ids, np.uint8)[np.arange(height) * len(ids) // height]
    return np.repeat(rows[:, None], width, axis=1)
