# SPDX-License-Identifier: Apache-2.0
"""A data set that a small network learns in a minute: three classes, each of one colour."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

TOML = """name = "flags"
version = 1
ignore_id = 255
""" + "".join(
    f'\n[[classes]]\nid = {id}\nname = "{name}"\ncolor = "{color}"\naliases = ["{alias}"]\n'
    for id, name, color, alias in (
        (0, "heaven", "#5080E0", "sky"), (1, "meadow", "#308030", "grass"), (2, "shore", "#E0C080", "beach")
    )
)  # fmt: skip
COLOURS = np.array([(80, 130, 225), (40, 120, 45), (225, 190, 125)], np.uint8)


def write_set(folder: Path, count: int = 24, side: int = 96) -> Path:
    """Photos of three bands and a box, with grain; a quarter of them for validation; the label set beside them."""
    random = np.random.default_rng(5)
    for kind in ("images", "labels"):
        (folder / kind).mkdir(parents=True)
    rows = ["name,split"]
    for index in range(count):
        ids = np.digitize(np.arange(side), np.sort(random.integers(side // 6, 5 * side // 6, 2)))[:, None]
        ids = random.permutation(3)[ids * np.ones(side, int)]
        top, left = random.integers(0, side - 30, 2)
        ids[top : top + 30, left : left + 30] = random.integers(3)
        rgb = COLOURS[ids].astype(int) + random.integers(-12, 13, (side, side, 3))
        Image.fromarray(rgb.clip(0, 255).astype(np.uint8)).save(folder / "images" / f"p{index:02}.png")
        Image.fromarray(ids.astype(np.uint8)).save(folder / "labels" / f"p{index:02}.png")
        rows.append(f"p{index:02},{'val' if index % 4 == 0 else 'train'}")
    (folder / "index.csv").write_text("\n".join(rows))
    (folder / "label_set.toml").write_text(TOML)
    return folder


def nearest_colour(rgb: np.ndarray) -> np.ndarray:
    """The segmenter: (H, W, 3) uint8 to (H, W) ids."""
    return ((rgb[:, :, None].astype(int) - COLOURS.astype(int)) ** 2).sum(-1).argmin(-1)


def mean_iou(label_maps: list[np.ndarray], pictures: list[np.ndarray]) -> float:
    """Over all pixels of all pictures, by nearest_colour."""
    wanted = np.stack(label_maps)
    found = np.stack([nearest_colour(rgb) for rgb in pictures])
    both = [
        ((wanted == id) & (found == id)).sum() / ((wanted == id) | (found == id)).sum() for id in range(3)
    ]
    return float(np.mean(both))
