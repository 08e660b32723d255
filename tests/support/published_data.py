# SPDX-License-Identifier: Apache-2.0
"""Small copies of the paper's data sets, laid out as they are published."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from tests.support.small_data import save

PAIRS = {"train": 6, "val": 3}


def coco_stuff(root: Path, instances: bool = True) -> Path:
    """As COCO-Stuff comes: person (0) on grass (123), unlabelled rows (255)."""
    for split, number in PAIRS.items():
        for index in range(number):
            ids = _patches(index, [0, 123, 156, 181], (12, 16))
            ids[:3] = 255
            name = f"{index + (100 if split == 'val' else 0):012}"
            save(root / "images" / f"{split}2017" / f"{name}.jpg", _photo(ids, index), quality=95)
            save(root / "stuffthingmaps" / f"{split}2017" / f"{name}.png", ids)
            if instances:
                objects = ids.copy()
                objects[40:56, 40:56], objects[40:56, 56:72] = 0, 1
                save(root / "instances" / f"{split}2017" / f"{name}.png", objects)
    return root


def ade20k(root: Path) -> Path:
    """The scene parsing benchmark: sky (3), mountain (17), bed (8) in one of them, "other" (0)."""
    base = root / "ADEChallengeData2016"
    scenes = []
    for split, number in PAIRS.items():
        folder = {"train": "training", "val": "validation"}[split]
        for index in range(number):
            ids = _patches(index, [3, 17, 10, 150], (12, 16))
            ids[:2] = 0
            if index == 1:
                ids[20:40, 20:40] = 8
            name = f"ADE_{split}_{index + 1:08}"
            scenes.append(f"{name} {('mountain', 'bedroom', 'valley')[index % 3]}")
            save(base / "images" / folder / f"{name}.jpg", _photo(ids, index), quality=95)
            save(base / "annotations" / folder / f"{name}.png", ids)
    (base / "sceneCategories.txt").write_text("\n".join(scenes))
    return root


def cityscapes(root: Path) -> Path:
    """leftImg8bit and gtFine, 128 x 64 pixels, with two cars that touch."""
    for split, number in PAIRS.items():
        city = {"train": "aachen", "val": "ulm"}[split]
        for index in range(number):
            ids = _patches(index, [7, 11, 21, 23], (8, 16))
            ids[40:48, 20:60] = 26
            objects = ids.astype(np.uint16)
            objects[40:48, 20:40], objects[40:48, 40:60] = 26000, 26001
            name = f"{city}_{index:06}_000019"
            save(root / "leftImg8bit" / split / city / f"{name}_leftImg8bit.png", _photo(ids, index))
            fine = root / "gtFine" / split / city
            save(fine / f"{name}_gtFine_labelIds.png", ids)
            save(fine / f"{name}_gtFine_instanceIds.png", objects)
    return root


def flickr(root: Path) -> Path:
    """Photos in their owners' folders, with predicted labels of COCO-Stuff at the same paths."""
    for index in range(60):
        ids = _patches(index, [156, 123, 134], (10, 10))
        place = f"owner{index % 3}/{index:05}"
        save(root / "images" / f"{place}.jpg", _photo(ids, index), quality=95)
        save(root / "labels" / f"{place}.png", ids)
    return root


def _patches(seed: int, ids: list[int], grid: tuple[int, int]) -> np.ndarray:
    drawn = np.random.default_rng(seed).choice(ids, grid).astype(np.uint8)
    return drawn.repeat(8, 0).repeat(8, 1)


def _photo(ids: np.ndarray, seed: int) -> np.ndarray:
    grain = np.random.default_rng(seed).integers(0, 40, (*ids.shape, 3))
    smooth = Image.fromarray((ids[..., None] + grain).clip(0, 255).astype(np.uint8))
    return np.asarray(smooth)
